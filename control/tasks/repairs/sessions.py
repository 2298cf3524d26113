"""Sessions that are not over, each looked at every few seconds: started again, ended, or let live on."""

from __future__ import annotations

import logging

from control.context import TaskContext
from control.sessions.lease import holders
from control.tasks.ending import end_session, tell_to_close
from control.tasks.repairs.ends import note_end
from control.tasks.repairs.repair import Repair, tell
from voicebackend._redis import redis_errors
from voicebackend.errors import ErrorCode, SessionNotFound, VoiceBackendError
from voicebackend.record import LIVE_TTL_S, SessionRecord
from voicebackend.session import SessionState, is_over
from voicebackend.tasks import SESSIONS_CREATE

LOST_S = 3.0
"""Seconds after which a session that is not ready must have lost its start."""
GIVE_UP_S = 30.0
"""Seconds after which a session that is not ready never will be."""
SOON_S, LATER_S = 4.0, 15.0
"""Seconds until the next look: while it starts, and while it runs."""
MAX_LOOKS = 1000
"""Sessions looked at in one go."""

logger = logging.getLogger(__name__)


async def repair_sessions(shared: TaskContext, now: float) -> None:
    """Look at every session whose time has come; ``now`` is in seconds since the epoch."""
    for session_id in await shared.store.due(now, limit=MAX_LOOKS):
        try:
            await _look(shared, session_id, now)
        except VoiceBackendError as error:
            extra = {"session_id": session_id, "code": str(error.code)}
            logger.warning("session not looked after", extra=extra)


async def _look(shared: TaskContext, session_id: str, now: float) -> None:
    """End a session, or see that it is looked at again."""
    try:
        record = await shared.store.get(session_id)
    except SessionNotFound:
        await shared.store.renew(session_id, look_at=now + LATER_S)  # which forgets what has no record
        return
    if reason := _given_up_because(record, now):
        await _give_up(shared, record, reason)
    elif record.lane < 0 or is_over(record.state) or not await note_end(shared, record, now):
        await _let_live(shared, record, now)


async def _give_up(shared: TaskContext, record: SessionRecord, reason: ErrorCode) -> None:
    if record.lane >= 0:
        await tell_to_close(shared, record, reason)  # whoever hears it: the session is over
    await tell(shared, Repair.NEVER_READY, record.id, reason=reason, worker=record.worker)
    await end_session(shared, record.id, SessionState.FAILED, reason)


async def _let_live(shared: TaskContext, record: SessionRecord, now: float) -> None:
    """See that a session is looked at again, has its slot, and is started again if its start was lost."""
    starting = record.state is SessionState.STARTING
    if not await shared.store.renew(record.id, look_at=now + (SOON_S if starting else LATER_S)):
        return
    if record.lane >= 0:
        await _see_to_slot(shared, record)
    if starting and now - _begun(record) > LOST_S:
        await tell(shared, Repair.START_REPEATED, record.id)
        await shared.publisher.publish(SESSIONS_CREATE, session_id=record.id)


def _given_up_because(record: SessionRecord, now: float) -> ErrorCode | None:
    """Return the code with which a session has failed to begin; None while there is hope, and when it has begun."""
    if is_over(record.state):
        return None
    if record.is_queued:
        return ErrorCode.SESSION_LIMIT_EXCEEDED if now > record.queue_until else None
    begins = record.state in {SessionState.PENDING, SessionState.STARTING}
    return ErrorCode.TIMEOUT if begins and now - _begun(record) > GIVE_UP_S else None


def _begun(record: SessionRecord) -> float:
    """Return since when it should be starting."""
    return record.placed_at or record.created_at


async def _see_to_slot(shared: TaskContext, record: SessionRecord) -> None:
    """See that a running session has its slot, and that its record says who holds it."""
    key = shared.keys.lane_sessions(record.lane)
    with redis_errors("repair"):
        missing = await shared.state.sadd(key, record.id)
        await shared.state.expire(key, LIVE_TTL_S)
    if missing:
        await tell(shared, Repair.SLOT_RESTORED, record.id, lane=record.lane)
    holder = (await holders(shared.state, shared.keys, [record.lane])).get(record.lane)
    if holder and holder.epoch > record.epoch and await shared.store.adopt(record, holder):
        await tell(shared, Repair.HOLDER_NOTED, record.id, worker=holder.worker, before=record.worker)
