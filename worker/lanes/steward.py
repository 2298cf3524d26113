"""Looks after the share of lanes that this worker has: takes over, makes, drops, hands over, by the rules beside it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from redis.exceptions import RedisError

from voicebackend._background import Background
from voicebackend.errors import SessionLimitExceeded
from worker.lane import Lane
from worker.lanes.balance import REBALANCE_S, to_create, to_drop, to_hand_over
from worker.lanes.directory import Directory, Lapsed
from worker.lanes.holdings import Holdings
from worker.lanes.plan import TAKEOVER_EXCESS, Member, Orphan, to_claim
from worker.lanes.roster import Roster
from worker.lanes.takeover import Takeover
from worker.lease import LEASE_TTL_S

logger = logging.getLogger(__name__)

MAX_LANE_NUMBER = 65_536
"""Lanes are numbered from 0; a worker takes the lowest that nobody holds."""
LOOK_S = 0.2
"""Seconds between looks for lanes that nobody holds."""
AT_ONCE = 2
"""Lanes that are restored at the same time."""
OWNERS_FIRST_S = 2 * LEASE_TTL_S
"""Seconds after trouble with ``state`` in which only owners claim their lanes."""
GIVEN_S = 3.0
"""Seconds in which a lane that was handed over is left to others."""
PAUSE_S = 2.0
"""Seconds to wait for a moment at which nobody in a lane speaks, before it is handed over."""
POLL_S = 0.02
DRAIN_S = 25.0
"""Seconds within which lanes are handed over when the worker is asked to end."""


class Steward:
    """``run`` looks after the lanes until cancelled; ``drain`` hands all of them over. ``me`` tells how it stands."""

    def __init__(
        self,
        directory: Directory,
        holdings: Holdings,
        roster: Roster,
        takeover: Takeover,
        *,
        wanted: int,
        me: Callable[[], Member],
    ) -> None:
        self._directory, self._holdings, self._roster, self._takeover = directory, holdings, roster, takeover
        self._wanted, self._me = wanted, me
        self._trouble_at = float("-inf")
        self._balanced_at = time.monotonic()
        self._given: dict[int, float] = {}
        self._restoring = asyncio.Semaphore(AT_ONCE)
        self._background, self._leaving = Background(), False

    def trouble(self, at: float) -> None:
        """Note that ``state`` did not answer at this moment (seconds, monotonic), or had only begun to."""
        self._trouble_at = max(self._trouble_at, at)

    @property
    def settled(self) -> bool:
        """Tell whether it may claim lanes that were others': ``state`` was not away lately, so owners have come."""
        return time.monotonic() - self._trouble_at >= OWNERS_FIRST_S

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            if self._leaving:
                continue
            try:
                await self.look()
            except (RedisError, OSError) as error:
                self.trouble(time.monotonic())
                logger.warning("lanes not looked after", extra={"error": type(error).__name__})

    async def look(self) -> None:
        """Take over what is ours to take over, and even lanes out when it is time."""
        lapsed = await self._directory.lapsed()
        now = time.monotonic()
        is_time = now - self._balanced_at >= REBALANCE_S
        if not lapsed.orphans and not is_time:
            return
        members = await self._directory.members()
        self._claim(lapsed, members, now)
        if is_time:
            self._balanced_at = now
            await self._balance(members, lapsed)

    def _claim(self, lapsed: Lapsed, members: list[Member], now: float) -> None:
        orphans = {
            orphan.lane: orphan
            for orphan in lapsed.orphans
            if now - self._given.get(orphan.lane, float("-inf")) >= GIVEN_S
        }
        me = self._me()
        lanes = to_claim(me, members, list(orphans.values()), now_ms=lapsed.now_ms, may_claim_foreign=self.settled)
        for lane in lanes:
            self._background.start(self._take_over(orphans[lane], me), name=f"take over {lane}")

    async def _take_over(self, orphan: Orphan, me: Member) -> None:
        most = int(me.slots_total * (1 + TAKEOVER_EXCESS))
        try:
            async with self._restoring:
                if orphan.lane not in self._holdings.lanes:
                    await self._takeover.take(orphan.lane, most=most, lapsed_ms=orphan.lapsed_ms)
        except (RedisError, OSError) as error:
            logger.warning("lane not taken over", extra={"lane": orphan.lane, "error": type(error).__name__})

    async def _balance(self, members: list[Member], lapsed: Lapsed) -> None:
        me = self._me()
        for number in to_drop(me, wanted=self._wanted):
            if (unwanted := self._holdings.lanes.get(number)) is not None:  # else it was lost while others were dropped
                await self._holdings.drop(unwanted)
        for number in to_create(me, members, lapsed.orphans, wanted=self._wanted):
            await self._takeover.take(number, new=not self.settled)
        for number in to_hand_over(me, members, now_ms=lapsed.now_ms, needs=await self._needs()):
            if (given := self._holdings.lanes.get(number)) is not None:
                self._background.start(self.hand_over(given), name=f"hand over {number}")

    async def _needs(self) -> dict[int, frozenset[str]]:
        lanes = self._holdings.lanes.items()
        return {number: await self._directory.needs(self._roster.ids_of(lane)) for number, lane in list(lanes)}

    async def hand_over(self, lane: Lane) -> None:
        """Let another worker go on with a lane's sessions, at their next pause or a little later anyway."""
        sessions, asked = len(self._roster.of(lane)), time.monotonic()
        while time.monotonic() - asked < PAUSE_S:
            if all(runner.is_quiet for runner in self._roster.of(lane).values()):
                break
            await asyncio.sleep(POLL_S)
        if self._holdings.lanes.get(lane.number) is not lane:
            return
        self._given[lane.number] = time.monotonic()
        try:
            await self._holdings.hand_over(lane)
        except (RedisError, OSError, TimeoutError) as error:
            logger.warning("lane not handed over in order", extra={"lane": lane.number, "error": type(error).__name__})
        logger.info("lane handed over", extra={"lane": lane.number, "epoch": lane.epoch, "sessions": sessions})

    async def first(self) -> None:
        """Make the lanes that a worker begins with, besides those that others hold or that wait to be taken over."""
        lapsed, members = await self._directory.lapsed(), await self._directory.members()
        taken = {orphan.lane for orphan in lapsed.orphans}.union(*(member.lanes for member in members))
        slots = self._me().slots_total
        missing = min(self._wanted, slots) if slots else self._wanted
        for number in (number for number in range(MAX_LANE_NUMBER) if number not in taken):
            missing -= await self._takeover.take(number, new=not self.settled) is not None
            if not missing:
                return
        raise SessionLimitExceeded("worker", f"{missing} of {self._wanted} lanes are not free")

    async def drain(self) -> None:
        """Hand every lane with sessions to a worker that has room for it, as long as there is one."""
        self._leaving = True
        await self._background.aclose()
        until = time.monotonic() + DRAIN_S
        while time.monotonic() < until:
            lapsed = await self._directory.lapsed()
            members, me = await self._directory.members(), self._me()
            lanes = to_hand_over(me, members, now_ms=lapsed.now_ms, needs=await self._needs())
            for number in lanes:
                await self.hand_over(self._holdings.lanes[number])
            if not lanes:
                if not any(me.lanes.values()) or all(member.settled for member in members if member.id != me.id):
                    return
                await asyncio.sleep(LOOK_S)  # somebody may claim soon
