"""How a deployment stands as ``state`` tells it: the lanes that nobody holds, the workers that are there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from voicebackend.keys import Keys
from worker.lanes.plan import Member, Orphan

SEEN_S = 5.0
"""Seconds after which a worker that announced nothing more is not even looked up."""
MAX_ORPHANS = 256
"""Lanes looked at in one go."""
FORGET_MS = 60_000
"""Milliseconds after which a lane without holder and sessions is forgotten."""
_LAPSED = """
-- KEYS lanes by when they lapse   ARGV most
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local lanes = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'WITHSCORES', 'LIMIT', 0, ARGV[1])
table.insert(lanes, 1, now)
return lanes
"""
_FIELDS = ("id", "loads", "slots_total", "provider_names", "draining", "settled", "admitting", "seen_ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lapsed:
    """Lanes that nobody holds, by the clock of ``state``."""

    now_ms: int
    orphans: tuple[Orphan, ...] = ()


class Directory:
    """Reads leases, sessions and announcements; ``state`` answers in bytes."""

    def __init__(self, state: Redis, keys: Keys) -> None:
        self._state, self._keys = state, keys
        self._lapsed = state.register_script(_LAPSED)

    async def lapsed(self) -> Lapsed:
        """Return the lanes with sessions that nobody holds: one cheap call while there are none."""
        now_ms, *flat = await self._lapsed([self._keys.lanes()], [MAX_ORPHANS])
        since = {int(lane): int(float(score)) for lane, score in zip(flat[::2], flat[1::2], strict=True)}
        if not since:
            return Lapsed(now_ms=now_ms)
        pipe = self._state.pipeline(transaction=False)
        for lane in since:
            pipe.exists(self._keys.lease(lane))
            pipe.smembers(self._keys.lane_sessions(lane))
        found: Any = await pipe.execute()
        orphans = []
        for lane, held, sessions in zip(since, found[::2], found[1::2], strict=True):
            if sessions and not held:
                orphans.append(await self._orphan(lane, sessions, now_ms - since[lane]))
            elif not held and now_ms - since[lane] > FORGET_MS:
                await self._state.zrem(self._keys.lanes(), lane)
        return Lapsed(now_ms=now_ms, orphans=tuple(orphans))

    async def _orphan(self, lane: int, sessions: set[bytes], lapsed_ms: int) -> Orphan:
        needs = await self.needs(name.decode() for name in sessions)
        return Orphan(lane=lane, sessions=len(sessions), providers=needs, lapsed_ms=lapsed_ms)

    async def needs(self, sessions: Any) -> frozenset[str]:
        """Return the providers that these sessions need."""
        pipe = self._state.pipeline(transaction=False)
        for session in sessions:
            pipe.hget(self._keys.session(session), "provider")
        found: Any = await pipe.execute()
        return frozenset(name.decode() for name in found if name)

    async def members(self) -> list[Member]:
        """Return the workers that are there; an announcement that does not parse is left out."""
        seconds, _ = await self._state.time()
        ids: Any = await self._state.zrangebyscore(self._keys.workers(), seconds - SEEN_S, "+inf")
        pipe = self._state.pipeline(transaction=False)
        for worker in ids:
            pipe.hmget(self._keys.worker(worker.decode()), _FIELDS)
        found: Any = await pipe.execute() if ids else []
        return [member for raw in found if (member := _member(dict(zip(_FIELDS, raw, strict=True)))) is not None]


def _member(raw: Mapping[str, bytes | None]) -> Member | None:
    if any(value is None for value in raw.values()):
        return None
    text = {name: (value or b"").decode() for name, value in raw.items()}
    try:
        lanes = {int(lane): int(sessions) for lane, sessions in json.loads(text["loads"]).items()}
        return Member(
            id=text["id"],
            lanes=lanes,
            slots_total=int(text["slots_total"]),
            slots_used=sum(lanes.values()),
            providers=frozenset(json.loads(text["provider_names"])),
            draining=text["draining"] == "1",
            settled=text["settled"] == "1",
            admitting=text["admitting"] == "1",
            seen_ms=int(text["seen_ms"]),
        )
    except (ValueError, TypeError, AttributeError):
        return None
