"""A tenant's do-not-call list: looked at when a call is planned, and again before each attempt. It never expires."""

from __future__ import annotations

import json
import time
from typing import Any, cast

from redis.asyncio import Redis

from voicebackend._redis import redis_errors
from voicebackend.calls import Listed
from voicebackend.errors import SessionNotFound
from voicebackend.keys import Keys

_OP = "do_not_call"


class DoNotCall:
    """Numbers (E.164) by tenant; ``redis`` is the ``state`` role. Every method raises ConnectionFailed without it."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis, self._keys = redis, keys

    async def put(self, tenant: str, number: str, reason: str) -> Listed:
        """Put a number on the list; one that is there keeps its date."""
        entry = json.dumps({"since": time.time(), "reason": reason})
        with redis_errors(_OP):
            await cast("Any", self._redis.hsetnx(self._keys.do_not_call(tenant), number, entry))
        return await self.get(tenant, number)

    async def get(self, tenant: str, number: str) -> Listed:
        """Return the entry of a number; raises SessionNotFound if it is not on the list."""
        with redis_errors(_OP):
            found: Any = await cast("Any", self._redis.hget(self._keys.do_not_call(tenant), number))
        if found is None:
            raise SessionNotFound(_OP, "this number is not on the list")
        return Listed(number=number, **json.loads(found))

    async def has(self, tenant: str, number: str) -> bool:
        """Tell whether a number is on the list."""
        with redis_errors(_OP):
            return bool(await cast("Any", self._redis.hexists(self._keys.do_not_call(tenant), number)))

    async def remove(self, tenant: str, number: str) -> None:
        """Take a number off the list; one that is not there is fine."""
        with redis_errors(_OP):
            await cast("Any", self._redis.hdel(self._keys.do_not_call(tenant), number))
