"""What signalling and webhooks told of a call, and what became of it: for hooks, operators and whoever asks later."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from redis.asyncio import Redis

from voicebackend._redis import redis_errors
from voicebackend.keys import Keys

KEEP_S = 24 * 3600
"""Seconds for which a call is known."""


class KnownCalls:
    """The calls of each tenant; ``redis`` is the ``state`` role. Every method raises ConnectionFailed without it."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis, self._keys = redis, keys

    async def note(self, tenant: str, call_id: str, facts: Mapping[str, Any]) -> None:
        """Add to what is known of a call: JSON values by name."""
        key = self._keys.known_call(tenant, call_id)
        pipe = self._redis.pipeline(transaction=True)
        pipe.hset(key, mapping=cast("Any", {name: json.dumps(value) for name, value in facts.items()}))
        pipe.expire(key, KEEP_S)
        with redis_errors("known_call"):
            await pipe.execute()

    async def find(self, tenant: str, call_id: str) -> dict[str, Any]:
        """Return what is known of a tenant's call; nothing of another's, or of one that is long over."""
        with redis_errors("known_call"):
            found: Any = await cast("Any", self._redis.hgetall(self._keys.known_call(tenant, call_id)))
        return {name.decode(): json.loads(value) for name, value in found.items()}
