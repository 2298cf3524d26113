"""How long to wait for a caller who has fallen silent: a continuous curve of how finished the turn sounds."""

from __future__ import annotations

from dataclasses import dataclass

from voicebackend.conversation import Endpointing
from worker.turns.habits import Habits


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A decision and its reason, as it is logged."""

    seconds: float
    """Of silence, from the end of speech, after which the turn is over."""
    reason: str
    """What weighed most: ``finished``, ``unfinished``, ``no_detector``, ..."""


def waiting(text: str, probability: float | None, *, base_s: float, settings: Endpointing, habits: Habits) -> Waiting:
    """Return the silence to wait for.

    ``probability`` that the caller has finished is from 0 to 1, None where the detector failed; ``base_s`` is the voice
    detector's own shortest wait, for settings that name none.
    """
    del text, habits
    shortest = base_s if settings.min_wait is None else settings.min_wait.total_seconds()
    longest = max(shortest, settings.max_wait.total_seconds())
    doubt = 0.0 if probability is None else min(1.0, max(0.0, 1.0 - probability))
    reason = "no_detector" if probability is None else "unfinished" if doubt else "finished"
    return Waiting(seconds=shortest + (longest - shortest) * doubt**2, reason=reason)
