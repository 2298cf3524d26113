"""Signatures without a time: how long they are good, and for whom."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis

from control.telephony.replays import REMEMBER_S, is_replay
from control.telephony.signatures import MAX_AGE_S
from voicebackend._redis import connect
from voicebackend.errors import ConnectionFailed
from voicebackend.keys import Keys

pytestmark = pytest.mark.integration
KEYS = Keys()


async def seen(redis: Redis, *, signature: str = "s1", trunk: str = "main") -> bool:
    """Tell whether it is a replay."""
    return await is_replay(redis, KEYS, trunk=trunk, signature=signature)


async def test_a_signature_is_good_until_a_carrier_would_not_send_it_again(redis: Redis) -> None:
    """Counted from the first time; another, or another trunk's, is its own."""
    key = KEYS.webhook_signature("main", "s1")
    assert not any(await asyncio.gather(*(seen(redis) for _ in range(5))))
    await redis.expire(key, round(REMEMBER_S - MAX_AGE_S + 20))
    assert not await seen(redis)
    await redis.expire(key, round(REMEMBER_S - MAX_AGE_S - 20))
    assert await seen(redis)
    assert await seen(redis)
    assert not await seen(redis, signature="s2")
    assert not await seen(redis, trunk="other")
    await redis.expire(key, 60)
    assert await seen(redis)


async def test_without_redis_nobody_is_believed() -> None:
    """Who cannot tell whether it was sent before takes no webhook."""
    gone = connect("redis://127.0.0.1:1")
    with pytest.raises(ConnectionFailed):
        await seen(gone)
    await gone.aclose()
