"""How long to wait for a caller who has fallen silent: a continuous curve of how finished the turn sounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from voicebackend.conversation import Endpointing
from worker.turns.habits import Habits
from worker.turns.patience import patience

UNKNOWN = 0.8
"""Probability of a detector that failed: silence decides, and it has to be a clear one."""
CURVE = 1.0
"""Power of the doubt in the wait: above 1, what sounds finished is answered fast."""
MARGIN = 1.1
"""Times this caller's usual pause is waited."""
ADAPTED = 0.6
"""Share of the longest wait that habits can ask for."""
SURE = 0.2
"""Doubt from which on habits count in full; they never delay what is certainly finished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A decision and its reason, as it is logged."""

    seconds: float
    """Of silence, from the end of speech, after which the turn is over."""
    reason: str
    """What weighed most: ``finished``, ``unfinished``, ``no_detector``, ``habits``, or what the words were: ``answer``,
    ``filler``, ``conjunction``, ``digits``, ``number``, ``spelling``, ``email``, ``address``."""
    inputs: Mapping[str, float | str] = field(default_factory=dict)
    """What it was decided on, for the log: numbers and categories, never words."""


def waiting(text: str, probability: float | None, *, base_s: float, settings: Endpointing, habits: Habits) -> Waiting:
    """Return the silence to wait for.

    ``probability`` that the caller has finished is from 0 to 1, None where the detector failed; ``base_s`` is the voice
    detector's own shortest wait, for settings that name none. The more likely, the shorter, without a step anywhere.
    """
    shortest = base_s if settings.min_wait is None else settings.min_wait.total_seconds()
    longest = max(shortest, settings.max_wait.total_seconds())
    bounds = patience(text)
    given = UNKNOWN if probability is None else min(1.0, max(0.0, probability))
    believed = bounds.hold(given)
    doubt = 1.0 - believed
    plain = shortest + (longest - shortest) * doubt**CURVE
    usual = habits.pause_s if settings.adapt else 0.0
    seconds = _adapted(plain, usual, doubt, longest)
    inputs: dict[str, float | str] = {"probability": round(given, 3), "believed": round(believed, 3)}
    return Waiting(
        seconds=seconds,
        reason="habits" if seconds > plain else bounds.reason if believed != given else _reason(probability),
        inputs=inputs | {"words": bounds.reason, "usual_pause_s": round(usual, 3), "plain_s": round(plain, 3)},
    )


def _adapted(plain_s: float, usual_s: float, doubt: float, longest_s: float) -> float:
    """Return a wait that covers the caller's usual pause, as far as the turn's end is in doubt."""
    asked_s = max(plain_s, min(usual_s * MARGIN, longest_s * ADAPTED))
    return plain_s + (asked_s - plain_s) * min(1.0, doubt / SURE)


def _reason(probability: float | None) -> str:
    if probability is None:
        return "no_detector"
    return "finished" if probability >= 0.5 else "unfinished"  # noqa: PLR2004 - more likely than not
