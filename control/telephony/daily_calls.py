"""Each tenant's calls by day, in Redis: counted as they happen, reported, and sealed when the day is over."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from redis.asyncio import Redis

from control.telephony import call_counts
from control.telephony.call_counts import KEEP_S, SEALED
from voicebackend._redis import redis_errors
from voicebackend.keys import Keys

MAX_FIELDS = 5000
"""Different things that are counted in a day; what would be more is left out."""
_COUNT = """
-- KEYS counts, tenants of the day; ARGV tenant, ttl, most fields, field, number, ...
redis.call('SADD', KEYS[2], ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[2])
for index = 4, #ARGV, 2 do
  if redis.call('HLEN', KEYS[1]) < tonumber(ARGV[3]) or redis.call('HEXISTS', KEYS[1], ARGV[index]) == 1 then
    redis.call('HINCRBY', KEYS[1], ARGV[index], ARGV[index + 1])
  end
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return 1
"""


class DailyCalls:
    """The counts of a deployment; ``redis`` is the ``state`` role. Every method raises ConnectionFailed without it."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis, self._keys = redis, keys

    async def count(self, tenant: str, day: str, counted: Mapping[str, int]) -> None:
        """Add to a day's counts."""
        keys = [self._keys.call_counts(tenant, day), self._keys.calling_tenants(day)]
        pairs = [part for pair in counted.items() for part in pair]
        with redis_errors("daily_calls"):
            await cast("Any", self._redis.eval(_COUNT, 2, *keys, tenant, KEEP_S, MAX_FIELDS, *pairs))

    async def report(self, tenant: str, day: str) -> dict[str, Any]:
        """Return a day's report: as it was sealed, else as it is now."""
        with redis_errors("daily_calls"):
            found: Any = await cast("Any", self._redis.hgetall(self._keys.call_counts(tenant, day)))
        counts = {name.decode(): value for name, value in found.items()}
        sealed = counts.pop(SEALED, None)
        if sealed is not None:
            return cast("dict[str, Any]", json.loads(sealed))
        return call_counts.report(day, {name: int(value) for name, value in counts.items()})

    async def seal(self, tenant: str, day: str) -> bool:
        """Write a day's report down as it stays; False if it was."""
        told = json.dumps(await self.report(tenant, day), sort_keys=True)
        with redis_errors("daily_calls"):
            key = self._keys.call_counts(tenant, day)
            return bool(await cast("Any", self._redis.hsetnx(key, SEALED, told)))

    async def tenants(self, day: str) -> list[str]:
        """Return the tenants that had calls on a day."""
        with redis_errors("daily_calls"):
            found: Any = await cast("Any", self._redis.smembers(self._keys.calling_tenants(day)))
        return sorted(name.decode() for name in found)
