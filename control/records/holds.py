"""Legal holds: what one covers is not deleted, whatever its time, until the last hold on it is lifted."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, cast

from redis.asyncio import Redis

from control.records.entry import EntryState
from control.records.index import Fate, Index
from voicebackend._redis import redis_errors
from voicebackend.keys import Keys

WALK_S = 2.0
"""Seconds for which whoever places or lifts a hold waits while what it covers is counted, or given back."""
PORTION, PAUSE_S = 20, 0.005
"""Objects that are given back together, and the seconds after them in which Redis serves calls."""
CURSOR_S = 86_400
"""Seconds for which it is known where a walk through everything held goes on."""
_OP = "holds"
_PLACE = """
-- KEYS holds; ARGV scope, id, what it is
local placed = cjson.decode(redis.call('HGET', KEYS[1], ARGV[1]) or '{}')
placed[ARGV[2]] = ARGV[3]
redis.call('HSET', KEYS[1], ARGV[1], cjson.encode(placed))
return 1
"""
_LIFT = """
-- KEYS holds, how many were lifted; ARGV id
local all = redis.call('HGETALL', KEYS[1])
for number = 1, #all, 2 do
  local placed = cjson.decode(all[number + 1])
  if placed[ARGV[1]] then
    placed[ARGV[1]] = nil
    if next(placed) then redis.call('HSET', KEYS[1], all[number], cjson.encode(placed))
    else redis.call('HDEL', KEYS[1], all[number]) end
    redis.call('INCR', KEYS[2])
    return all[number]
  end
end
return false
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One hold; of a tenant's objects it covers all, a session's, or those about a subject."""

    id: str
    scope: str
    """``*``, ``session:<id>`` or ``subject:<hash>``."""
    reason: str
    by: str
    """Who placed it."""
    at: float
    """Seconds since the epoch."""


def new_id() -> str:
    """Return an id for a hold that is yet to be placed."""
    return secrets.token_hex(8)


class Holds:
    """Places, lists and lifts holds; ``redis`` is the ``state`` role."""

    def __init__(self, redis: Redis, keys: Keys, index: Index) -> None:
        self._redis, self._keys, self._index = redis, keys, index

    async def place(
        self, tenant: str, scope: str, *, reason: str, by: str, id_: str = ""
    ) -> tuple[Hold, Counter[Fate]]:
        """Hold what a scope covers from now on; return what was found under it within ``WALK_S``, and how that stands.

        ``TOO_LATE`` are those that a sweep had claimed when the hold came: they may be gone. ``id_`` is by ``new_id``,
        for whoever has to note the hold before it is placed.
        """
        hold = Hold(id=id_ or new_id(), scope=scope, reason=reason, by=by, at=time.time())
        with redis_errors(_OP):
            args = (self._keys.records_holds(tenant), scope, hold.id, json.dumps(asdict(hold)))
            await cast("Any", self._redis.eval(_PLACE, 1, *args))
        found: Counter[Fate] = Counter()
        loop = asyncio.get_running_loop()
        until = loop.time() + WALK_S
        async for ids in self._under(tenant, scope):
            if loop.time() >= until:
                break  # all are held: what is left is not counted, no more
            entries = [entry for entry in await self._index.many(ids) if entry.tenant == tenant]
            late = sum(entry.state is EntryState.DELETING for entry in entries)
            found.update({Fate.TOO_LATE: late, Fate.HELD: len(entries) - late})
        return hold, found

    async def lift(self, tenant: str, id_: str) -> bool:
        """Lift one hold; what no other covers is deleted when it is due. False if there is no such hold.

        What is not given back within ``WALK_S`` is by the next ``release``.
        """
        with redis_errors(_OP):
            keys = (self._keys.records_holds(tenant), self._keys.holds_lifted())
            scope: Any = await cast("Any", self._redis.eval(_LIFT, 2, *keys, id_))
        if not scope:
            return False
        loop = asyncio.get_running_loop()
        until = loop.time() + WALK_S
        async for ids in self._under(tenant, scope.decode(), held_only=True):
            await self._give_back(ids)
            if loop.time() >= until:
                break
        return True

    async def all(self, tenant: str) -> list[Hold]:
        """Return a tenant's holds, oldest first."""
        with redis_errors(_OP):
            rows: Any = await cast("Any", self._redis.hvals(self._keys.records_holds(tenant)))
        placed = (Hold(**json.loads(hold)) for row in rows for hold in json.loads(row).values())
        return sorted(placed, key=lambda hold: hold.at)

    async def covering(self, tenant: str) -> Callable[[str, Iterable[str]], bool]:
        """Return what tells whether a hold covers a session, by its id and subjects, as holds are now."""
        with redis_errors(_OP):
            scopes: Any = set(await cast("Any", self._redis.hkeys(self._keys.records_holds(tenant))))

        def covers(session: str, subjects: Iterable[str]) -> bool:
            asked = ["*", f"session:{session}", *(f"subject:{subject}" for subject in subjects)]
            return any(scope.encode() in scopes for scope in asked)

        return covers

    async def release(self, for_s: float = float("inf")) -> int:
        """Give back what no hold covers any more, up to the end of all that is held; return how many objects that were.

        After ``for_s`` seconds it stops, and the next goes on from there.
        """
        loop, released, key = asyncio.get_running_loop(), 0, self._keys.records_released()
        until = loop.time() + for_s
        with redis_errors(_OP):
            cursor = int(await self._redis.get(key) or 0)
        while True:
            ids, cursor = await self._index.page(cursor, held=True)
            released += await self._give_back(ids)
            with redis_errors(_OP):
                await self._redis.set(key, cursor, ex=CURSOR_S)
            if not cursor or loop.time() >= until:
                return released

    async def _give_back(self, ids: Sequence[str]) -> int:
        released = 0
        for first in range(0, len(ids), PORTION):
            released += await self._index.release(ids[first : first + PORTION])
            await asyncio.sleep(PAUSE_S)
        return released

    def _under(self, tenant: str, scope: str, *, held_only: bool = False) -> AsyncIterator[list[str]]:
        """Yield the ids of what a scope covers; ``held_only`` may leave out what is not put aside."""
        kind, _, name = scope.partition(":")
        match kind:
            case "session":
                return self._index.of_session(name)
            case "subject":
                return self._index.about(tenant, name)
            case _:
                return self._index.everything(held_only=held_only)
