"""Whether a signature that has no time of its own was used before, and too long ago for a carrier that asks again."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from control.telephony.signatures import MAX_AGE_S
from voicebackend._redis import redis_errors
from voicebackend.keys import Keys

REMEMBER_S = 30 * 24 * 3600
"""Seconds for which a signature is remembered: about 150 bytes each."""


async def is_replay(redis: Redis, keys: Keys, *, trunk: str, signature: str) -> bool:
    """Tell whether it was first seen more than ``MAX_AGE_S`` ago: until then carriers repeat what was not answered.

    So a signature without a time is good for as long as one that has a time, from when it comes first. ``redis`` is
    the ``state`` role; raises ConnectionFailed without it.
    """
    key = keys.webhook_signature(trunk, signature)
    with redis_errors("webhook"):
        if await redis.set(key, b"", nx=True, ex=REMEMBER_S):
            return False
        left_s: Any = await redis.ttl(key)
    return bool(REMEMBER_S - left_s > MAX_AGE_S)
