"""How good decisions were: who was cut off, and how long those who were not had to wait."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.measure import percentiles
from benchmarks.turn_ends.corpus import Turn

EARLY_S = 0.03
"""A decision this little before the last of the speech is none too early: nobody knows its end to the centisecond."""
A_THIRD_BETTER = 2 / 3
VAD_LAG_S = 0.3
"""A decision made for a pause may come this long after the speaker has gone on."""


def score(turns: Iterable[Turn], decisions: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Return the measures over some turns, waits in ms."""
    listed = list(turns)
    pauses = [(turn, pause) for turn in listed for pause in turn.speech.pauses]
    cut = [turn for turn in listed if any(_early(turn, at) for at in decisions[turn.id])]
    ends = {turn.id: [at for at in decisions[turn.id] if not _early(turn, at)] for turn in listed}
    waits = [(ends[turn.id][0] - turn.speech.end_s) * 1000 for turn in listed if ends[turn.id] and turn not in cut]
    return {
        "turns": len(listed),
        "cut_off": _share(len(cut), len(listed)),
        "pauses": len(pauses),
        "pauses_cut": _share(sum(_cut_in(pause, decisions[turn.id]) for turn, pause in pauses), len(pauses)),
        "wait_ms": {"mean": round(sum(waits) / len(waits), 1) if waits else None, **percentiles(waits)},
        "never_ended": sum(not found for found in ends.values()),
    }


def by_group(turns: Iterable[Turn], decisions: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Return the measures for each kind of turn."""
    listed = list(turns)
    groups = dict.fromkeys(turn.group for turn in listed)
    return {group: score([turn for turn in listed if turn.group == group], decisions) for group in groups}


def compared(ours: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    """Return how our measures stand to another system's: below 1 is better, and one should be at most two thirds."""
    cut = _ratio(ours["cut_off"], other["cut_off"])
    wait = _ratio(ours["wait_ms"]["mean"], other["wait_ms"]["mean"])
    holds = max(cut, wait) <= 1 and min(cut, wait) <= A_THIRD_BETTER + 1e-9
    return {"cut_off": round(cut, 2), "wait": round(wait, 2), "holds": holds}


def _early(turn: Turn, at: float) -> bool:
    return at < turn.speech.end_s - EARLY_S


def _cut_in(pause: tuple[float, float], decisions: Sequence[float]) -> bool:
    return any(pause[0] <= at <= pause[1] + VAD_LAG_S for at in decisions)


def _share(part: int, whole: int) -> float:
    return round(part / whole, 3) if whole else 0.0


def _ratio(ours: float, other: float) -> float:
    return ours / other if other else 1.0 if not ours else float("inf")
