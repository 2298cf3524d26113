"""Who holds lanes, as far as control needs to know; workers claim and renew."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from voicebackend._redis import redis_errors
from voicebackend.keys import Keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """The worker that holds a lane, and under which epoch."""

    worker: str
    epoch: int


async def holders(redis: Redis, keys: Keys, lanes: Collection[int]) -> dict[int, Holder]:
    """Return who holds these lanes, without those that nobody holds; ``redis`` is the ``state`` role."""
    with redis_errors("lease"):
        leases: Any = await redis.mget([keys.lease(lane) for lane in lanes]) if lanes else []
    found: dict[int, Holder] = {}
    for lane, lease in zip(lanes, leases, strict=True):
        worker, _, epoch = (lease or b"").decode().rpartition(":")
        if worker and epoch.isdecimal():
            found[lane] = Holder(worker=worker, epoch=int(epoch))
    return found
