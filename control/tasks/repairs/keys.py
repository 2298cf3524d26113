"""Keys of ours that would live for ever: inboxes, tokens, turns and whatever else lost its time to live."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from redis.asyncio import Redis

from control.context import TaskContext
from control.tasks.repairs.repair import Repair, tell
from voicebackend._redis import redis_errors
from voicebackend.record import LIVE_TTL_S

EVERY_S = 600
"""Seconds between two looks: each reads the names of all keys."""
MAX_KEYS = 500_000
"""Keys looked at in one go."""
_BATCH = 500


async def repair_keys(shared: TaskContext, _now: float) -> None:
    """Give every key of ours that has no time to live that of a session, on either server."""
    with redis_errors("repair"):
        if not await shared.state.set(shared.keys.looked_at_keys(), "1", nx=True, ex=EVERY_S):
            return
    for redis in (shared.state, shared.audio):
        with redis_errors("repair"):
            names = [name async for name in redis.scan_iter(match=f"{shared.keys.prefix}:*", count=1000)][:MAX_KEYS]
        count = 0
        for batch in _batches(_ours(shared, names)):
            count += await _limit(redis, batch)
        if count:
            await tell(shared, Repair.KEY_EXPIRES, count=count)


def _ours(shared: TaskContext, names: Iterable[bytes]) -> Iterator[str]:
    """Yield the keys that must expire: neither the permanent ones nor Celery's, which share the prefix."""
    kinds = shared.keys.expiring()
    return (name for name in map(bytes.decode, names) if name.startswith(kinds))


def _batches(names: Iterator[str]) -> Iterator[list[str]]:
    while batch := list(islice(names, _BATCH)):
        yield batch


async def _limit(redis: Redis, names: list[str]) -> int:
    pipe: Any = redis.pipeline(transaction=False)
    for name in names:
        pipe.ttl(name)
    with redis_errors("repair"):
        left = await pipe.execute()
        eternal = [name for name, ttl in zip(names, left, strict=True) if ttl == -1]
        for name in eternal:
            await redis.expire(name, LIVE_TTL_S)
    return len(eternal)
