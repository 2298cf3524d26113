"""``sessions.*``: start, close and look after sessions, and learn from workers what became of them.

Each may run twice, late, or beside another: the record's transition table decides, never the order of tasks.
"""

from __future__ import annotations

import logging
import time

from control import context, loop
from control.context import TaskContext
from control.sessions.lease import holders
from control.sessions.start import start_of
from control.tasks.ending import clean_up, end_session, tell_to_close
from control.tasks.repairs.reconcile import reconcile
from voicebackend.errors import SessionNotActive, SessionNotFound
from voicebackend.record import SessionRecord
from voicebackend.session import SessionState, is_over

logger = logging.getLogger(__name__)

TIMEOUT_S = 20.0
"""Seconds for one task."""


def create(session_id: str) -> None:
    """Tell the holder of its lane to start a session that has its slot; one that waits for a slot is left alone."""
    loop.run(_create(context.current(), session_id), TIMEOUT_S)


def close(session_id: str, reason: str) -> None:
    """Have the lane's holder end a session, or end it here when nobody holds it."""
    loop.run(_close(context.current(), session_id, reason), TIMEOUT_S)


def report(session_id: str, state: str, epoch: int, reason: str) -> None:
    """Note in the record how a session ended, as its lane's holder says; under an older epoch it is ignored."""
    loop.run(_report(context.current(), session_id, SessionState(state), epoch, reason), TIMEOUT_S)


def expire() -> None:
    """Compare what should be with what is, and repair it."""
    loop.run(reconcile(context.current(), time.time()), TIMEOUT_S)


async def _create(shared: TaskContext, session_id: str) -> None:
    record = await _find(shared, session_id)
    if record is None or record.state is not SessionState.STARTING:
        return
    await shared.tell_lane(record.lane, start_of(record))


async def _close(shared: TaskContext, session_id: str, reason: str) -> None:
    record = await _find(shared, session_id)
    if record is None or is_over(record.state):
        return
    held = record.lane >= 0 and await holders(shared.state, shared.keys, [record.lane])
    if not (held and await tell_to_close(shared, record, reason)):
        await end_session(shared, session_id, SessionState.ENDED, reason)


async def _report(shared: TaskContext, session_id: str, state: SessionState, epoch: int, reason: str) -> None:
    try:
        await _note_holder(shared, await shared.store.get(session_id), epoch)
        record = await shared.store.move(session_id, state, fence=epoch, reason=reason)
    except (SessionNotFound, SessionNotActive) as error:
        extra = {"session_id": session_id, "state": str(state), "code": str(error.code)}
        logger.info("report comes too late", extra=extra)
        return
    if is_over(record.state):
        await clean_up(shared, record)


async def _note_holder(shared: TaskContext, record: SessionRecord, epoch: int) -> None:
    """Note who has taken the session's lane over, if this is the first that is heard of it."""
    if epoch <= record.epoch or record.lane < 0:
        return
    holder = (await holders(shared.state, shared.keys, [record.lane])).get(record.lane)
    if holder is not None:
        await shared.store.adopt(record, holder)


async def _find(shared: TaskContext, session_id: str) -> SessionRecord | None:
    try:
        return await shared.store.get(session_id)
    except SessionNotFound:
        logger.info("no such session any more", extra={"session_id": session_id})
        return None
