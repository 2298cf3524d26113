"""Looks after sessions that are not over: starts again what got lost, ends what nobody holds, lets the rest live on."""

from __future__ import annotations

import logging

from control.context import TaskContext
from control.sessions.lease import is_held
from control.tasks.ending import end_session, tell_to_close
from voicebackend._redis import redis_errors
from voicebackend.errors import ErrorCode, SessionNotFound, VoiceBackendError
from voicebackend.record import LIVE_TTL_S, SessionRecord
from voicebackend.session import SessionState, is_over
from voicebackend.tasks import SESSIONS_CREATE

LOST_S = 3.0
"""Seconds after which a session that is not ready must have lost its task."""
GIVE_UP_S = 30.0
"""Seconds after which a session that is not ready never will be."""
SOON_S, LATER_S = 4.0, 15.0
"""Seconds until the next look: while it starts, and while it runs."""
MAX_LOOKS = 1000
"""Sessions looked at in one go."""
_STARTING = frozenset({SessionState.PENDING, SessionState.STARTING})

logger = logging.getLogger(__name__)


async def reap(shared: TaskContext, now: float) -> None:
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
        record = None
    reason = await _lost_because(shared, record, now) if record else ""
    if record and reason:
        logger.warning("session lost", extra={"session_id": session_id, "reason": reason, "worker": record.worker})
        await end_session(shared, session_id, SessionState.FAILED, reason)
        return
    starting = record is not None and record.state in _STARTING
    if not await shared.store.renew(session_id, look_at=now + (SOON_S if starting else LATER_S)):
        return
    if record and record.lane >= 0:
        with redis_errors("reap"):
            await shared.state.expire(shared.keys.lane_sessions(record.lane), LIVE_TTL_S)
    if record and record.state is SessionState.STARTING and now - _begun(record) > LOST_S:
        await shared.publisher.publish(SESSIONS_CREATE, session_id=session_id)


def _begun(record: SessionRecord) -> float:
    """Return since when it should be starting."""
    return record.placed_at or record.created_at


async def _lost_because(shared: TaskContext, record: SessionRecord, now: float) -> str:
    """Return the code with which a session has failed, empty while there is hope and when it is over."""
    if is_over(record.state):
        return ""
    if record.lane >= 0 and not await is_held(shared.state, shared.keys, record):
        return ErrorCode.PIPELINE_ERROR
    if record.is_queued:
        return ErrorCode.SESSION_LIMIT_EXCEEDED if now > record.queue_until else ""
    if record.state not in _STARTING or now - _begun(record) <= GIVE_UP_S:
        return ""
    if record.lane >= 0:
        await tell_to_close(shared, record, ErrorCode.TIMEOUT)  # whoever hears it: the session is over
    return ErrorCode.TIMEOUT
