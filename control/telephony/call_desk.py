"""What the telephone calls of one control process share: the switchboard, targets' health, limits, what is known."""

from __future__ import annotations

import asyncio
import logging

from redis.asyncio import Redis

from control.telephony.daily_calls import DailyCalls
from control.telephony.health.health_book import HealthBook
from control.telephony.health.health_watch import HealthWatch
from control.telephony.health.tables import SAY_S, Teller, versions
from control.telephony.known_calls import KnownCalls
from control.telephony.live_calls import LiveCalls
from control.telephony.live_switchboard import LiveSwitchboard
from voicebackend.errors import VoiceBackendError
from voicebackend.keys import Keys

logger = logging.getLogger(__name__)

LOOK_S = 0.5
"""Seconds until others hear of a changed table."""


class CallDesk:
    """One per process; ``redis`` is the ``state`` role."""

    def __init__(self, redis: Redis, keys: Keys, board: LiveSwitchboard) -> None:
        self._redis, self._keys = redis, keys
        self.board = board
        self.health = HealthWatch(HealthBook(redis, keys))
        self.live = LiveCalls(redis, keys)
        self.known = KnownCalls(redis, keys)
        self.daily = DailyCalls(redis, keys)
        self.sip_answers: bool | None = None
        """Whether this process answered itself by SIP when it was asked last; None where it takes no calls by it."""

    def __repr__(self) -> str:
        return f"<CallDesk {self.board!r}>"

    async def run(self) -> None:
        """Follow files and health, and say by which table this process routes, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.board.watch(), name="telephony file")
            group.create_task(self.health.watch(), name="health of targets")
            group.create_task(self._say(), name="routing table")

    async def versions(self) -> list[str]:
        """Return the tables by which control processes route; raises ConnectionFailed."""
        return await versions(self._redis, self._keys)

    async def _say(self) -> None:
        teller, said, due = Teller(self._redis, self._keys), "", 0.0
        while True:
            routes, now = self.board.current.routes, asyncio.get_running_loop().time()
            if routes.version != said or now >= due:
                try:
                    await teller.say(routes.version, routes.table)
                    said, due = routes.version, now + SAY_S
                except VoiceBackendError as error:
                    logger.warning("routing table not told", extra={"error_code": str(error.code)})
            await asyncio.sleep(LOOK_S)
