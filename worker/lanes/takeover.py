"""From a lane that nobody holds to its sessions, going on here."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from voicebackend.config import BackendConfig
from voicebackend.errors import InvalidFormat, PipelineError
from voicebackend.record import SessionRecord
from voicebackend.streams import EntryId
from voicebackend.telemetry import takeovers_total
from voicebackend.tracing import span
from worker.checkpoint import replay_from
from worker.lane import Lane
from worker.lanes.adoption import adopt
from worker.lanes.checkpoints import Checkpoint, Checkpoints
from worker.lanes.holdings import Holdings
from worker.lanes.restore import Restore, poison
from worker.lanes.roster import Roster
from worker.services import Services
from worker.session import SessionRunner

logger = logging.getLogger(__name__)

SETTLE_S = 0.5
"""Seconds that a session runs alone before the next one is restored, where they are restored one by one."""
PATIENCE_S = 3.0
"""Seconds that a session has to be restored before its neighbours wait no longer."""


class Takeover:
    """Claims lanes and restores their sessions; ``config`` gives the configuration in force."""

    def __init__(
        self,
        services: Services,
        holdings: Holdings,
        roster: Roster,
        store: Checkpoints,
        config: Callable[[], BackendConfig],
    ) -> None:
        self._services, self._holdings, self._roster, self._store = services, holdings, roster, store
        self._config = config

    async def take(self, number: int, *, most: int = 0, lapsed_ms: int = 0, new: bool = False) -> Lane | None:
        """Claim a lane, if nobody holds it, and go on with its sessions; return it.

        With ``new`` only a lane that never was anybody's is claimed.

        Raises:
            redis.exceptions.RedisError, OSError: it could not be restored; it is given up again.

        """
        lane = await self._holdings.claim(number, most=most, new=new)
        if lane is None:
            return None
        try:
            with span("take_over", lane=number):
                await self._restore(lane, lapsed_ms)
                lane.restored_at = time.monotonic()
        except BaseException:
            await self._holdings.release(lane)
            raise
        return lane

    async def _restore(self, lane: Lane, lapsed_ms: int) -> None:
        checkpoint = await self._store.read(lane.number)
        records = {record.id: record for record in await adopt(self._services.state, self._services.keys, lane.lease)}
        lane.position = checkpoint.position
        if not records:
            await self._holdings.read_from(lane, checkpoint.position, known=checkpoint.sessions)
            return
        takeovers = checkpoint.takeovers + 1
        how = poison(takeovers)
        takeovers_total.add(1, {"restore": str(how)})
        await self._store.taken_over(lane.number, lane.epoch, takeovers)
        if how is Restore.END_SUSPECT and checkpoint.suspect in records:
            await self._end(records.pop(checkpoint.suspect), lane)
        for session in records:
            self._roster.expect(session, lane)
        start = _start(checkpoint, records)
        if how is Restore.REPLAY:
            for record in records.values():
                self._run(record, checkpoint, lane)
        else:
            lane.deaf_until = checkpoint.position
        await self._holdings.read_from(lane, start, known=checkpoint.sessions)
        told = {"lane": lane.number, "epoch": lane.epoch, "sessions": len(records), "gap_ms": lapsed_ms}
        logger.info("lane taken over", extra={**told, "restore": str(how), "takeovers": takeovers})
        if how is not Restore.REPLAY:
            await self._one_by_one(records, checkpoint, lane)

    def _run(self, record: SessionRecord, checkpoint: Checkpoint, lane: Lane) -> SessionRunner:
        try:
            return self._roster.run(record, self._config(), lane, restored=checkpoint.sessions.get(record.id))
        except InvalidFormat as error:
            told = {"session_id": record.id, "lane": lane.number, "error": error.message}
            logger.error("checkpoint not readable: the session starts anew", extra=told)  # noqa: TRY400
            return self._roster.run(record, self._config(), lane)

    async def _one_by_one(self, records: Mapping[str, SessionRecord], checkpoint: Checkpoint, lane: Lane) -> None:
        """Note each session before it is restored, so that the next holder knows who brought this process down."""
        for session, record in records.items():
            await self._store.suspect(lane.number, lane.epoch, session)
            if not self._roster.is_expected(session):
                return  # the lane was lost
            runner = self._run(record, checkpoint, lane)
            with suppress(TimeoutError):  # it hears nothing before it is restored, so until then nothing is known of it
                await asyncio.wait_for(runner.settled.wait(), PATIENCE_S)
            await asyncio.sleep(SETTLE_S)
        await self._store.suspect(lane.number, lane.epoch, "")

    async def _end(self, record: SessionRecord, lane: Lane) -> None:
        """End a session that brought down every process that restored it."""
        logger.error("session ended: it ends its workers", extra={"session_id": record.id, "lane": lane.number})
        error = PipelineError("restore", "the session ended the processes that ran it")
        await SessionRunner(record, self._config(), lane, self._services).fail(error)


def _start(checkpoint: Checkpoint, records: Mapping[str, SessionRecord]) -> EntryId:
    """Return after which entry to read, so that each session gets again what it needs; all there is for a new one."""
    return min((_needs(checkpoint.sessions.get(session)) for session in records), default=checkpoint.position)


def _needs(snapshot: bytes | None) -> EntryId:
    """Return the entry before the first that a session needs again."""
    try:
        first = replay_from(snapshot) if snapshot else EntryId()
    except InvalidFormat:
        return EntryId()
    return EntryId(first.ms, first.seq - 1) if first.seq else EntryId(max(0, first.ms - 1), 2**63)
