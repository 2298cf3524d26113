"""Asks a turn detector whether the caller has finished, in bounded time."""

from __future__ import annotations

import asyncio
import logging

from voicebackend.interfaces import TurnDetector, TurnEvidence

logger = logging.getLogger(__name__)

DETECTOR_S = 0.3
"""Seconds that a turn detector has."""


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
