"""How many sessions are carried: overheads of turns, and the most sessions for which they stay short. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.measure import percentiles

MOST_MS = 40.0
"""Milliseconds of overhead that 95 of 100 turns may have at most."""


def overhead(by_saying: Mapping[str, Sequence[float]], ideal: Mapping[str, float]) -> dict[str, float | None]:
    """Return percentiles of what turns took beyond what is ideal for what was said, in milliseconds."""
    return percentiles([ms - ideal[name] for name, times in by_saying.items() for ms in times])


def added_by_load(by_saying: Mapping[str, Sequence[float]], unloaded: Mapping[str, float]) -> dict[str, float | None]:
    """Return percentiles of what turns took beyond the same with a few sessions; what those never said is left out."""
    return overhead({name: times for name, times in by_saying.items() if name in unloaded}, unloaded)


def carried(runs: Sequence[Mapping[str, Any]], by: str) -> dict[str, float]:
    """Return the most sessions up to which no turn was lost and ``by`` stayed short, and how many that is a core."""
    found: dict[str, float] = {"carries": 0, "sessions_per_core": 0.0}
    for run in sorted(runs, key=lambda run: int(run["sessions"])):
        p95 = run[by]["p95"]
        if p95 is None or p95 > MOST_MS or run["lost_turns"]:
            break
        per_core = run["sessions"] / max(0.01, run["cores_used"])
        found = {"carries": int(run["sessions"]), "sessions_per_core": round(per_core, 1)}
    return found
