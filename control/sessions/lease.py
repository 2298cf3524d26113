"""Who holds a lane, as far as control needs to know; workers claim and renew."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from voicebackend._redis import redis_errors
from voicebackend.keys import Keys
from voicebackend.record import SessionRecord


async def is_held(redis: Redis, keys: Keys, record: SessionRecord) -> bool:
    """Tell whether the worker that a session was placed with still holds its lane.

    Under any epoch: a holder whose lease lapsed and was claimed again by itself kept its sessions.
    """
    with redis_errors("lease"):
        lease: Any = await redis.get(keys.lease(record.lane))
    holder, _, _ = (lease or b"").decode().rpartition(":")
    return bool(holder) and holder == record.worker
