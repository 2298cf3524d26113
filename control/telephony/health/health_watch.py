"""How targets are doing, as one control process knows it: read again and again, never waited for by a call."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping

from control.telephony.health.health_book import HealthBook
from control.telephony.health.states import Patience, TargetHealth
from voicebackend.breaker import BreakerState
from voicebackend.errors import ErrorCode, VoiceBackendError

logger = logging.getLogger(__name__)

LOOK_S = 0.5
"""Seconds between two readings. Without Redis, what was read last holds."""
_FULL = frozenset({ErrorCode.SESSION_LIMIT_EXCEEDED, ErrorCode.RATE_LIMIT_EXCEEDED})
"""Errors that tell of how much a target has to do, not of its health."""


class HealthWatch:
    """Follows the health of targets and tells of what calls find out; times are seconds since the epoch."""

    def __init__(self, book: HealthBook) -> None:
        self._book = book
        self.targets: Mapping[str, TargetHealth] = {}
        """By name; one that is not here takes calls."""

    async def watch(self) -> None:
        """Read until cancelled."""
        while True:
            try:
                self.targets = await self._book.read()
            except VoiceBackendError as error:
                logger.warning("health of targets not read", extra={"error_code": str(error.code)})
            await asyncio.sleep(LOOK_S)

    def dead(self) -> frozenset[str]:
        """Return the targets that take no call now."""
        now = time.time()
        return frozenset(name for name, health in self.targets.items() if not health.takes_calls(now))

    async def admits(self, target: str, session: str) -> bool:
        """Tell whether a target may be given this call: a half-open one takes a single call on trial.

        Raises:
            ConnectionFailed: that cannot be found out.

        """
        known = self.targets.get(target)
        if known is None or known.state is BreakerState.CLOSED:
            return True
        return await self._book.claim_trial(target, session, now=time.time())

    async def failed(self, target: str, session: str, error: VoiceBackendError, patience: Patience) -> None:
        """Note that a target took no call, and why; a full one is as well as ever."""
        try:
            if error.code in _FULL:
                await self._book.drop_trial(target, session)
                return
            now = time.time()
            health = await self._book.note_call(
                target, session, good=False, patience=patience, now=now, why=str(error.code)
            )
        except VoiceBackendError as trouble:
            logger.warning("health of target not noted", extra={"target": target, "error_code": str(trouble.code)})
            return
        self.targets = {**self.targets, target: health}
