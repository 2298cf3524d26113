"""What was said in a session, read from its log as an agent is given it."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from voicebackend._redis import redis_errors
from voicebackend.agents import HistoryEntry, spoken
from voicebackend.keys import Keys
from voicebackend.record import decode_log

MAX_ENTRIES = 1000
"""Entries from the log's end that are read: some hundred turns."""


async def read_memory(redis: Redis, keys: Keys, session_id: str) -> list[HistoryEntry]:
    """Return what was said, oldest first, this turn included; what was still being recognised is left out."""
    with redis_errors("agent_memory"):
        entries: Any = await redis.xrevrange(keys.session_log(session_id), count=MAX_ENTRIES)
    return spoken(decode_log(fields) for _, fields in reversed(entries))
