"""What a session leaves in Redis beside its objects: deleted without a trace."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from voicebackend._redis import redis_errors
from voicebackend.keys import Keys
from voicebackend.record import SessionRecord, decode_log

_OP = "residue"


async def forget_turns(redis: Redis, keys: Keys, session: str) -> None:
    """Delete what lies with the turns: what was said, a guess at one that was never finished, what agents noted.

    Before the session's log, which says how many there were.
    """
    with redis_errors(_OP):
        entries: Any = await redis.xrange(keys.session_log(session))
        said = (decode_log(fields).get("turn") for _, fields in entries)
        last = max((turn for turn in said if isinstance(turn, int)), default=0)
        await redis.delete(*(keys.turn(session, turn) for turn in range(last + 2)))


async def forget_session(redis: Redis, keys: Keys, record: SessionRecord) -> None:
    """Delete everything that Redis has of a finished session, and what its carrier told of its call."""
    await forget_turns(redis, keys, record.id)
    call_id = record.metadata.get("call_id")
    with redis_errors(_OP):
        if isinstance(call_id, str):
            await redis.delete(keys.known_call(record.tenant, call_id))
        await redis.delete(keys.session(record.id), keys.session_log(record.id), keys.session_join(record.id))
        await redis.zrem(keys.sessions(record.tenant), record.id)
        await redis.zrem(keys.records_pending(), record.id)
