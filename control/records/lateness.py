"""How late deletions are, told by every control process: also where nobody sweeps."""

from __future__ import annotations

import asyncio
import logging

from control.records.index import Index
from voicebackend import telemetry
from voicebackend.errors import VoiceBackendError

logger = logging.getLogger(__name__)

EVERY_S = 30.0
"""Seconds from one look to the next."""


async def tell_lateness(index: Index | None, every_s: float = EVERY_S) -> None:
    """Keep the gauge right until cancelled; 0 where nothing is kept. Without Redis it stays as it was."""
    while True:
        try:
            telemetry.records_late_seconds.set(0.0 if index is None else await index.late_s())
        except VoiceBackendError as error:
            logger.debug("lateness not known", extra={"reason": error.message})
        await asyncio.sleep(every_s)
