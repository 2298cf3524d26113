"""What an event of a room means for its session: ended by it, once."""

from __future__ import annotations

import logging

from redis.asyncio import Redis

from control.sessions.store import SessionStore
from control.webhooks.livekit import OP, RoomEvent
from voicebackend._redis import redis_errors
from voicebackend.errors import SessionNotFound
from voicebackend.keys import Keys
from voicebackend.publisher import Publisher
from voicebackend.rooms import session_in
from voicebackend.session import Transport, is_over
from voicebackend.tasks import SESSIONS_CLOSE

logger = logging.getLogger(__name__)

REMEMBERED_S = 3600
"""Seconds for which an event that comes again is known."""


async def act_on(
    event: RoomEvent, room_name: str, *, redis: Redis, keys: Keys, store: SessionStore, publisher: Publisher
) -> None:
    """End the room's session if the event says that it is over; rooms that are none of ours are left alone.

    Raises:
        ConnectionFailed: Redis is not there; nothing was done, so the event may come again.

    """
    session = session_in(room_name, event.room)
    if session is None or not event.ends:
        return
    mark = keys.webhook(event.id)
    with redis_errors(OP):
        if not await redis.set(mark, b"", nx=True, ex=REMEMBERED_S):
            return
    try:
        await _end(session, event.ends, store, publisher)
    except BaseException:
        with redis_errors(OP):
            await redis.delete(mark)
        raise


async def _end(session: str, reason: str, store: SessionStore, publisher: Publisher) -> None:
    try:
        record = await store.get(session)
    except SessionNotFound:
        return
    if record.transport is Transport.WEBRTC and not is_over(record.state):
        logger.info("room is over", extra={"session_id": session, "reason": reason})
        await publisher.publish(SESSIONS_CLOSE, session_id=session, reason=reason)
