"""How a session's caller joins its room, as its worker wrote it down."""

from __future__ import annotations

from pydantic import ValidationError
from redis.asyncio import Redis

from voicebackend._redis import redis_errors
from voicebackend.keys import Keys
from voicebackend.record import SessionRecord
from voicebackend.session import Join, SessionView, Transport, is_over

JOIN_S = 5.0
"""Seconds for which a session's creation waits for its room."""


async def with_join(redis: Redis, keys: Keys, record: SessionRecord) -> SessionView:
    """Return a session as its owner may see it: with the way into its room, if it has one and that is open.

    Raises:
        ConnectionFailed: Redis is not there.

    """
    view = record.view()
    if record.transport is not Transport.WEBRTC or is_over(record.state):
        return view
    with redis_errors("join"):
        raw = await redis.get(keys.session_join(record.id))
    try:
        return view if raw is None else view.model_copy(update={"join": Join.model_validate_json(raw)})
    except ValidationError:
        return view
