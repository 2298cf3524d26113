"""What a session that is over gives back at once: its slot or its place in the queue, and the end of its log."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from control.sessions.placement import waiting_of
from control.sessions.store import SessionStore
from voicebackend._redis import redis_errors
from voicebackend.keys import Keys
from voicebackend.record import SessionRecord, decode_log


async def release(redis: Redis, keys: Keys, store: SessionStore, record: SessionRecord) -> None:
    """Free what a session that is over still has; ``redis`` is the ``state`` role.

    May be called again after it failed half-way: each step is done only if it is not done yet.
    """
    with redis_errors("release"):
        if record.lane >= 0:
            await redis.srem(keys.lane_sessions(record.lane), record.id)
        elif record.queue_until:
            await redis.zrem(keys.queue(record.provider), waiting_of(record).ticket())
            return
        tail: Any = await redis.xrevrange(keys.session_log(record.id), count=1)
    if record.lane < 0 or (tail and decode_log(tail[0][1])["type"] == "ended"):
        return  # the log of a session that never had a lane is the store's
    entry = {"type": "session", "state": record.state.value, "reason": record.reason}
    await store.append_log(record.id, entry)
    await store.append_log(record.id, {"type": "ended", "reason": record.reason})
