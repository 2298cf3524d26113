"""A goal: a figure and what it may be at most. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Goal:
    """Holds where the figure is no more than the limit; for ``least``, no less."""

    what: str
    figure: float | None
    limit: float
    least: bool = False
    why: str = ""
    """Why the figure cannot be judged; empty if it can."""

    @property
    def holds(self) -> bool | None:
        """Tell whether it holds, None where that cannot be told."""
        if self.figure is None or self.why:
            return None
        return self.figure >= self.limit if self.least else self.figure <= self.limit

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        told = {"goal": self.what, "figure": self.figure, "least" if self.least else "most": self.limit}
        return {**told, "holds": self.holds, **({"why": self.why} if self.why else {})}

    @staticmethod
    def line(told: Mapping[str, Any]) -> str:
        """Return what ``to_dict`` returned as a line."""
        word = {True: "holds", False: "DOES NOT HOLD", None: "cannot be told"}[told["holds"]]
        limit = f"at least {told['least']}" if "least" in told else f"at most {told['most']}"
        return f"{word}: {told['goal']}: {told['figure']} ({limit}) {told.get('why', '')}".rstrip()
