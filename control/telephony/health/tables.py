"""The targets of the tables that control processes route by, told to the tasks: those have neither file nor secrets."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass
from typing import Any, cast

from redis.asyncio import Redis

from control.telephony.health.states import Patience
from control.telephony.routing.table import RoutingTable, Target
from voicebackend._redis import redis_errors
from voicebackend.keys import Keys

SAY_S = 5.0
"""Seconds after which a control process says again by which table it routes."""
FRESH_S = 20.0
"""Seconds after which a table of which nobody said more is no longer used."""
_SAY = """
-- KEYS who routes by what, a table; ARGV what this process said before and says now, targets as JSON, seconds
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
if ARGV[1] ~= ARGV[2] then redis.call('ZREM', KEYS[1], ARGV[1]) end
redis.call('ZADD', KEYS[1], now, ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. (now - ARGV[4]))
redis.call('EXPIRE', KEYS[1], ARGV[4])
redis.call('SET', KEYS[2], ARGV[3], 'EX', ARGV[4])
return 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """A target as far as its health goes."""

    provider: str
    patience: Patience


def patience_of(target: Target) -> Patience:
    """Return how soon a target is left out."""
    return Patience(every_s=target.probe.every.total_seconds(), fail=target.probe.fail, ok=target.probe.ok)


def watched(table: RoutingTable) -> dict[str, Watched]:
    """Return the targets of a table."""
    return {
        name: Watched(provider=target.provider, patience=patience_of(target)) for name, target in table.targets.items()
    }


class Teller:
    """Says by which table one process routes; ``redis`` is the ``state`` role."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis, self._keys = redis, keys
        self._owner, self._said = secrets.token_hex(8), ""

    async def say(self, version: str, table: RoutingTable) -> None:
        """Say it, in the place of what was said before; raises ConnectionFailed."""
        targets = json.dumps({name: asdict(target) for name, target in watched(table).items()})
        names = [self._keys.routing_tables(), self._keys.routing_table(version)]
        now = f"{self._owner} {version}"
        with redis_errors("routing_tables"):
            await cast("Any", self._redis.eval(_SAY, 2, *names, self._said, now, targets, round(FRESH_S)))
        self._said = now


async def versions(redis: Redis, keys: Keys) -> list[str]:
    """Return the tables by which control processes route, the last told last; raises ConnectionFailed."""
    with redis_errors("routing_tables"):
        seconds, _ = await redis.time()
        found: Any = await redis.zrangebyscore(keys.routing_tables(), seconds - FRESH_S, "+inf")
    return list(dict.fromkeys(said.decode().partition(" ")[2] for said in found))


async def told(redis: Redis, keys: Keys) -> dict[str, Watched]:
    """Return the targets of all of them; one that is in several is as the last has it."""
    names = await versions(redis, keys)
    with redis_errors("routing_tables"):
        found: Any = await redis.mget([keys.routing_table(name) for name in names]) if names else []
    targets: dict[str, Watched] = {}
    for raw in filter(None, found):
        targets |= {
            name: Watched(provider=one["provider"], patience=Patience(**one["patience"]))
            for name, one in json.loads(raw).items()
        }
    return targets
