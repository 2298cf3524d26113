"""Calls that are up, and the limits they count against: taken in one Lua step, given back in one when a session ends.

The step is exact over all processes, and without Redis no call is taken at all: no limit is ever passed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any, cast

from redis.asyncio import Redis

from control.telephony.health.states import Patience
from voicebackend._redis import redis_errors
from voicebackend.keys import Keys

KEEP_S = 24 * 3600
"""Seconds after which a call that nobody ended no longer counts."""
_TAKE = """
-- KEYS the session's call, live calls, then a set for each limit; ARGV call as JSON, now in s, ttl, session, limits...
for index = 3, #KEYS do
  redis.call('ZREMRANGEBYSCORE', KEYS[index], '-inf', ARGV[2] - ARGV[3])
  if redis.call('ZCARD', KEYS[index]) >= tonumber(ARGV[index + 2]) then return index - 2 end
end
for index = 3, #KEYS do
  redis.call('ZADD', KEYS[index], ARGV[2], ARGV[4])
  redis.call('EXPIRE', KEYS[index], ARGV[3])
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[3])
redis.call('ZADD', KEYS[2], ARGV[2], ARGV[4])
redis.call('EXPIRE', KEYS[2], ARGV[3])
return 0
"""
_END = """
-- KEYS the session's call, live calls, counts of its day, then a set for each limit
-- ARGV session, ttl of counts, field, number, ...
if redis.call('DEL', KEYS[1]) == 0 then
  redis.call('ZREM', KEYS[2], ARGV[1])
  return 0
end
for index = 2, #KEYS do
  if index ~= 3 then redis.call('ZREM', KEYS[index], ARGV[1]) end
end
for index = 3, #ARGV, 2 do redis.call('HINCRBY', KEYS[3], ARGV[index], ARGV[index + 1]) end
if #ARGV > 2 then redis.call('EXPIRE', KEYS[3], ARGV[2]) end
return 1
"""
_RATE = """
-- KEYS a route's last calls; ARGV calls, window in ms, the call
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[2])
if redis.call('ZCARD', KEYS[1]) >= tonumber(ARGV[1]) then return 0 end
redis.call('ZADD', KEYS[1], now, ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""


class Full(StrEnum):
    """What has as many calls as it may."""

    ROUTE = "route"
    TARGET = "target"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveCall:
    """A call with its session, as it counts."""

    session: str
    tenant: str
    call_id: str
    trunk: str
    route: str
    target: str
    day: str
    """On which it came, UTC, ``2026-11-23``."""
    limits: Mapping[str, int] = field(default_factory=dict)
    """Calls at once, by ``route`` and ``target``, where they are limited."""
    patience: Patience = field(default_factory=Patience)
    """That of the target's health."""
    given: bool = True
    """False once the call went elsewhere: its session, if it comes at all, is ended."""


class LiveCalls:
    """The calls of a deployment; ``redis`` is the ``state`` role. Every method raises ConnectionFailed without it."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis, self._keys = redis, keys

    async def starts(self, route: str, call: str, cps: float) -> bool:
        """Tell whether a route may take one call more now, and count it: at most ``cps`` in any second."""
        calls = max(1, int(cps))
        args: list[Any] = [calls, round(1000 * calls / cps), call]
        with redis_errors("limits"):
            return bool(await cast("Any", self._redis.eval(_RATE, 1, self._keys.call_starts(route), *args)))

    async def take(self, call: LiveCall) -> Full | None:
        """Count a call that is about to get its session; if something is full, tell what, and count nothing."""
        keys = [self._keys.session_call(call.session), self._keys.live_calls(), *self._sets(call)]
        args: list[Any] = [json.dumps(asdict(call)), f"{time.time():.3f}", KEEP_S, call.session, *call.limits.values()]
        with redis_errors("limits"):
            full = int(await cast("Any", self._redis.eval(_TAKE, len(keys), *keys, *args)))
        return Full([*call.limits][full - 1]) if full else None

    async def find(self, session: str) -> LiveCall | None:
        """Return the call that a session is for; None if it is for none, or its end is counted already."""
        with redis_errors("limits"):
            raw: Any = await self._redis.get(self._keys.session_call(session))
        return None if raw is None else _read(raw)

    async def end(self, call: LiveCall, counted: Mapping[str, int], *, keep_s: int = KEEP_S) -> bool:
        """Give back what a call has, and add to the counts of its day; False if that was done before."""
        counts = self._keys.call_counts(call.tenant, call.day)
        keys = [self._keys.session_call(call.session), self._keys.live_calls(), counts, *self._sets(call)]
        pairs = [part for pair in counted.items() for part in pair]
        with redis_errors("limits"):
            return bool(await cast("Any", self._redis.eval(_END, len(keys), *keys, call.session, keep_s, *pairs)))

    async def went_elsewhere(self, call: LiveCall) -> None:
        """Note that a call did not wait for this session: it may come yet, and counts until it is ended."""
        with redis_errors("limits"):
            told = json.dumps(asdict(replace(call, given=False)))
            await self._redis.set(self._keys.session_call(call.session), told, xx=True, keepttl=True)

    async def sample(self, *, older_than: float, count: int) -> list[str]:
        """Return some sessions that got their call before a time, in seconds since the epoch."""
        with redis_errors("limits"):
            found: Any = await self._redis.zrandmember(self._keys.live_calls(), count, withscores=True)
        pairs = zip(found[::2], found[1::2], strict=True) if found and not isinstance(found[0], list) else found
        return [session.decode() for session, since in pairs if float(since) < older_than]

    async def forget(self, session: str) -> None:
        """No longer list a session of whose call nothing is known."""
        with redis_errors("limits"):
            await self._redis.zrem(self._keys.live_calls(), session)

    def _sets(self, call: LiveCall) -> list[str]:
        names = {Full.ROUTE: call.route, Full.TARGET: call.target}
        return [self._keys.calls_of(kind, names[Full(kind)]) for kind in call.limits]


def _read(raw: bytes) -> LiveCall | None:
    try:
        found = json.loads(raw)
        return LiveCall(**{**found, "patience": Patience(**found["patience"])})
    except (ValueError, TypeError, KeyError):
        return None
