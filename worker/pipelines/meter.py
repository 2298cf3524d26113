"""What a session has used of its engines since it began: counts that only grow, so that none counts twice.

A worker that takes over goes on from the highest that the checkpoint or the log told.
"""

from __future__ import annotations

from collections.abc import Mapping

Totals = Mapping[str, Mapping[str, Mapping[str, float]]]
"""Role (``stt``, ``tts``, ``s2s``), the engine's name, unit: the amount."""


class Meter:
    """One session's, over all its pipelines."""

    def __init__(self) -> None:
        self._totals: dict[str, dict[str, dict[str, float]]] = {}
        self.at_work: dict[str, str] = {}
        """Of each role, the engine that was counted last."""

    def __repr__(self) -> str:
        return f"<Meter {self._totals}>"

    def add(self, role: str, engine: str, unit: str, amount: float) -> None:
        """Count more, such as ``("stt", "moonshine", "seconds", 0.02)``."""
        self.at_work[role] = engine
        counts = self._totals.setdefault(role, {}).setdefault(engine, {})
        counts[unit] = counts.get(unit, 0.0) + amount

    def catch_up(self, told: Totals) -> None:
        """Count on from what was told before, where that is more."""
        for role, engines in told.items():
            for engine, counts in engines.items():
                mine = self._totals.setdefault(role, {}).setdefault(engine, {})
                for unit, amount in counts.items():
                    mine[unit] = max(mine.get(unit, 0.0), amount)

    @property
    def totals(self) -> dict[str, dict[str, dict[str, float]]]:
        """Return the counts, to the millisecond."""
        return {
            role: {
                engine: {unit: round(amount, 3) for unit, amount in counts.items()}
                for engine, counts in engines.items()
            }
            for role, engines in self._totals.items()
        }
