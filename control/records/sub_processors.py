"""Whom an erasure has to be passed on to: who handled the person's sessions beside us, when, and which calls."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from redis.asyncio import Redis

from control.records.handlers import Handler, decoded, encoded
from voicebackend._redis import redis_errors
from voicebackend.keys import Keys

KEEP_S = 30 * 86_400
"""Seconds after an erasure's end in which it tells whom to ask, and of which calls."""
MAX_FOUND = 10_000
"""Handlers with their calls, of one erasure; of a person with more calls, some carriers' ids are left out."""
_OP = "erasure"
_NOTE = """
-- KEYS handlers; ARGV time to live in s, most, then handler, began in ms, ...
for number = 3, #ARGV, 2 do
  local known, began = redis.call('HGET', KEYS[1], ARGV[number]), tonumber(ARGV[number + 1])
  if known then
    local first, last = string.match(known, '(%d+) (%d+)')
    began = string.format('%.0f %.0f', math.min(began, first), math.max(began, last))
    redis.call('HSET', KEYS[1], ARGV[number], began)
  elseif redis.call('HLEN', KEYS[1]) < tonumber(ARGV[2]) then
    redis.call('HSET', KEYS[1], ARGV[number], string.format('%.0f %.0f', began, began))
  end
end
redis.call('EXPIRE', KEYS[1], ARGV[1])
return 1
"""
_BATCH = 200
Met = tuple[Handler, float]
"""Who handled a session, and when it began, seconds since the epoch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubProcessor:
    """One who is to be asked."""

    name: str
    roles: tuple[str, ...]
    calls: tuple[str, ...]
    """The carrier's ids of the person's calls."""
    first: float
    """When the first of the sessions began, seconds since the epoch."""
    last: float


class SubProcessors:
    """Those of erasures; ``redis`` is the ``state`` role. Written before the objects that tell of them go."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis, self._keys = redis, keys
        self._note = redis.register_script(_NOTE)

    async def note(self, erasure: str, found: Iterable[Met]) -> None:
        """Add who handled sessions; the same again changes nothing, none at all has what is known stay for longer."""
        rows = [part for handler, began in found for part in (encoded([handler]), round(began * 1000))]
        for at in range(0, max(1, len(rows)), 2 * _BATCH):
            args: list[Any] = [KEEP_S, MAX_FOUND, *rows[at : at + 2 * _BATCH]]
            with redis_errors(_OP):
                await self._note([self._keys.erasure_handlers(erasure)], args)

    async def of(self, erasure: str) -> list[SubProcessor]:
        """Return everyone whom an erasure met, by name; nobody any more ``KEEP_S`` after its end."""
        with redis_errors(_OP):
            rows: Any = await cast("Any", self._redis.hgetall(self._keys.erasure_handlers(erasure)))
        met = [(decoded(field.decode())[0], int(ms) / 1000) for field, times in rows.items() for ms in times.split()]
        return [_together(name, met) for name in sorted({handler.name for handler, _ in met})]


def _together(name: str, met: Sequence[Met]) -> SubProcessor:
    mine = [(handler, began) for handler, began in met if handler.name == name]
    return SubProcessor(
        name=name,
        roles=tuple(sorted({handler.role for handler, _ in mine})),
        calls=tuple(sorted({handler.call for handler, _ in mine} - {""})),
        first=min(began for _, began in mine),
        last=max(began for _, began in mine),
    )
