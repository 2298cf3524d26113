"""The end of a session that no worker is there to end: its record, its log, its slot, and what is kept of it."""

from __future__ import annotations

import logging
import time

from control.context import TaskContext
from control.sessions.release import release
from control.tasks.serving import serve_next
from voicebackend.errors import SessionNotActive, VoiceBackendError
from voicebackend.record import SessionRecord
from voicebackend.session import SessionState
from voicebackend.streams import Frame, Kind, json_payload
from voicebackend.tasks import RETENTION_APPLY

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
    await shared.publisher.publish(RETENTION_APPLY, session_id=record.id)
    if record.lane >= 0:
        await serve_next(shared, record.provider)
