"""Whether the caller has finished: a turn detector is asked, in bounded time; what an ear notes for itself of it."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass

from voicebackend.interfaces import TurnDetector, TurnEvidence
from worker.turns.waiting import Waiting

logger = logging.getLogger(__name__)

DETECTOR_S = 0.3
"""Seconds that a turn detector has."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What the turn detector made of a pause; None where it failed."""

    pause: int
    probability: float | None


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """All that another worker's ear had heard was heard again."""


def note(decided: Waiting, *, silence_s: float, characters: int) -> None:
    """Log how long the caller is waited for, and what that was decided on."""
    extra = {
        "reason": decided.reason,
        "wait_s": round(decided.seconds, 3),
        "silence_s": round(silence_s, 3),
        "characters": characters,
        **decided.inputs,
    }
    logger.info("end of turn judged", extra=extra)


async def probability(detector: TurnDetector | None, evidence: TurnEvidence) -> float | None:
    """Return how likely the turn is over; without a detector, whoever is silent has finished; None if it failed."""
    if detector is None:
        return 1.0
    try:
        async with asyncio.timeout(DETECTOR_S):
            return await detector.end_of_turn(evidence)
    except Exception:
        logger.exception("turn detector failed; silence and words decide")
        return None
