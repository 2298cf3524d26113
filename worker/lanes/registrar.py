"""Sees to it that ``state`` knows the sessions that run here, every 2 s and whenever a lease was shaken."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import replace

from redis.asyncio import Redis
from redis.exceptions import RedisError

from voicebackend.keys import Keys
from voicebackend.session import SessionState
from worker.caller import Reason
from worker.lane import Lane
from worker.lanes.holdings import Holdings
from worker.lanes.registration import Finding, register, restore
from worker.lanes.roster import Roster
from worker.lease import RENEW_S
from worker.session import SessionRunner

logger = logging.getLogger(__name__)

REGISTER_S = 2.0
"""Seconds between two looks, if no lease was shaken meanwhile."""


class Registrar:
    """``run`` registers until cancelled; ``state`` answers in bytes."""

    def __init__(self, state: Redis, keys: Keys, holdings: Holdings, roster: Roster) -> None:
        self._state, self._keys, self._holdings, self._roster = state, keys, holdings, roster

    async def run(self) -> None:
        """Register again and again."""
        shaken = self._holdings.shaken
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(REGISTER_S):
                    await shaken.wait()
            shaken.clear()
            try:
                held = [await self.register(lane) for lane in list(self._holdings.lanes.values())]
            except (RedisError, OSError) as error:
                logger.warning("sessions not registered", extra={"error": type(error).__name__})
                held = [False]
            if not all(held):
                await asyncio.sleep(RENEW_S)
                shaken.set()

    async def register(self, lane: Lane) -> bool:
        """Register a lane's sessions; False if the lane was not held just then. Raises Redis's errors."""
        running = {session: runner.state for session, runner in self._roster.of(lane).items()}
        running = {session: state for session, state in running.items() if state is not SessionState.ENDING}
        if not running:
            return True
        found = await register(self._state, self._keys, lane.lease, running)
        for session, finding in (found or {}).items():
            logger.warning("session was not registered", extra={"session_id": session, "finding": str(finding)})
            await self._settle(lane, session, finding)
        return found is not None

    async def _settle(self, lane: Lane, session: str, finding: Finding) -> None:
        runner = self._roster.of(lane).get(session)
        match finding:
            case Finding.OVER if runner is not None:
                runner.stop(Reason.CLOSED)
            case Finding.FOREIGN if runner is not None:
                self._roster.let_go(session)
            case Finding.LOST if runner is not None and runner.state is not SessionState.ENDING:
                await self._restore(lane, runner)
            case _:
                pass
        if finding in {Finding.SLOT, Finding.LOST}:
            await self._free_if_over(lane, session)

    async def _restore(self, lane: Lane, runner: SessionRunner) -> None:
        lease = lane.lease
        record = replace(runner.record, state=runner.state, lane=lease.lane, worker=lease.worker, epoch=lease.epoch)
        await restore(self._state, self._keys, lease, record)

    async def _free_if_over(self, lane: Lane, session: str) -> None:
        """Free a slot again whose session came to its end while it was put back."""
        runner = self._roster.of(lane).get(session)
        is_over = runner is None or runner.state is SessionState.ENDING
        if is_over and self._holdings.lanes.get(lane.number) is lane:
            await self._state.srem(self._keys.lane_sessions(lane.number), session)
