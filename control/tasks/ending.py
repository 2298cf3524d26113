"""The end of a session that no worker is there to end: its record, its log, its slot, and what is kept of it."""

from __future__ import annotations

import logging
import time

from control.context import TaskContext
from control.orchestration import announce
from control.sessions.release import release
from control.tasks.serving import serve_next
from control.telephony.call_ends import call_ended
from voicebackend.errors import SessionNotActive, VoiceBackendError
from voicebackend.record import SessionRecord
from voicebackend.session import SessionState
from voicebackend.streams import Frame, Kind, json_payload
from voicebackend.tasks import AGENTS_REMEMBER, POST_CALL_KEEP, RETENTION_APPLY, Task
from voicebackend.webhooks import EventType

logger = logging.getLogger(__name__)


async def tell_to_close(shared: TaskContext, record: SessionRecord, reason: str) -> bool:
    """Tell the lane's holder to end a session; False if that reached nobody, for the lane or Redis is gone."""
    payload = json_payload({"reason": reason})
    frame = Frame(session=record.id, kind=Kind.CLOSE, payload=payload, time_ms=round(time.time() * 1000))
    try:
        await shared.tell_lane(record.lane, frame)
    except VoiceBackendError as error:
        logger.info("nobody told to close", extra={"session_id": record.id, "code": str(error.code)})
        return False
    return True


async def end_session(shared: TaskContext, session_id: str, state: SessionState, reason: str) -> None:
    """Bring a session to ``ended`` or ``failed`` and clean up after it; one that is over already is left alone.

    May be called again after it failed half-way: each step is done only if it is not done yet.
    """
    try:
        record = await shared.store.move(session_id, state, reason=reason)
    except SessionNotActive:
        return
    await clean_up(shared, record)


async def clean_up(shared: TaskContext, record: SessionRecord) -> None:
    """Free what a session that is over still has, for whoever waits, and have what it left kept or deleted."""
    await release(shared.state, shared.keys, shared.store, record)
    await _end_call(shared, record)
    await shared.refresh()
    remembered = shared.config.memory is not None and record.lane >= 0
    await shared.publisher.publish(AGENTS_REMEMBER if remembered else after_end(shared), session_id=record.id)
    await announce(shared.publisher, shared.config, record, "session_ended")
    told = {"state": record.state.value, "reason": record.reason}  # no user id: erasures do not reach receivers
    await shared.outbox.put(EventType.SESSION_ENDED, tenant=record.tenant, session=record.id, data=told)
    if record.lane >= 0:
        await serve_next(shared, record.provider)


def after_end(shared: TaskContext) -> Task:
    """Return the task that keeps or deletes what a session left; remembering it comes before."""
    kept = shared.deployment.retention or shared.deployment.prices
    return POST_CALL_KEEP if kept else RETENTION_APPLY  # the first has the second done


async def _end_call(shared: TaskContext, record: SessionRecord) -> None:
    """Give back what a telephone call counts against; where that fails now, the reconciler does it."""
    try:
        await call_ended(shared.state, shared.keys, record)
    except VoiceBackendError as error:
        logger.warning("call not ended", extra={"session_id": record.id, "code": str(error.code)})
