"""Who holds a lane: a lease with a time to live, under an epoch that only ever grows.

The scripts run in ``state``. A copy of the epoch lies beside the lane in ``audio``, so that neither server alone,
however it lost its memory, can make an old epoch come back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from voicebackend.keys import Keys

LEASE_TTL_S = 1.5
"""Seconds that a lease lives without renewal."""
ANSWER_S = 0.3
"""Seconds that ``state`` has to answer: from one renewal asked in vain to the end of the next is less than MUTE_S."""
RENEW_S = 0.4
"""Seconds between renewals."""
MUTE_S = 1.2
"""Seconds without a renewal after which the holder stops speaking."""
UNSURE_S = 10.0
"""Seconds that a holder goes on speaking while the server of leases answers nobody."""
EPOCH_TTL_S = 24 * 3600
"""Seconds that the copy of a lane's epoch lives; afterwards the clock alone is later than any epoch issued."""

WORKER_LANES_TTL_S = 60
"""Seconds that the set of a worker's lanes lives without renewal of any."""

_CLAIM = """
-- KEYS the lane's lease, last epochs, the lane's sessions, the worker's lanes, lanes by when they lapse
-- ARGV worker, lane, epoch in `audio`, ttl in ms, epoch under which the worker had the lane until now (0: it had not),
--      1: only if the lane never was anybody's, most sessions (0 any), lease and sessions of any lane, ttl of its lanes
local lane, held = tonumber(ARGV[2]), tonumber(ARGV[5])
local function holder(lease) return string.match(redis.call('GET', lease) or '', '^(.*):%d+$') end
local last = math.max(tonumber(redis.call('HGET', KEYS[2], ARGV[2]) or '0'), tonumber(ARGV[3]))
local now_held_by = holder(KEYS[1])
if now_held_by then
  if now_held_by ~= ARGV[1] then return 0 end
elseif (held > 0 and last > held) or (ARGV[6] == '1' and last > 0) then
  return 0
end
local most, sessions = tonumber(ARGV[7]), redis.call('SCARD', KEYS[3])
if most > 0 and held == 0 and sessions > 0 then
  for _, other in ipairs(redis.call('SMEMBERS', KEYS[4])) do
    if holder(string.format(ARGV[8], other)) == ARGV[1] then
      sessions = sessions + redis.call('SCARD', string.format(ARGV[9], other))
    end
  end
  if sessions > most then return 0 end
end
local now = redis.call('TIME')
local epoch = string.format('%.0f', math.max(last, now[1] * 1000 + math.floor(now[2] / 1000)) + 1)
redis.call('HSET', KEYS[2], ARGV[2], epoch)
redis.call('SET', KEYS[1], ARGV[1] .. ':' .. epoch, 'PX', ARGV[4])
redis.call('SADD', KEYS[4], ARGV[2])
redis.call('EXPIRE', KEYS[4], ARGV[10])
redis.call('ZADD', KEYS[5], now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[4], ARGV[2])
redis.call('EXPIRE', KEYS[5], 86400)
return tonumber(epoch)
"""
"""Lease a lane: its epoch, or 0. A worker may claim what it holds already: an answer may have been lost.

A lane that lapsed is its own only if nobody had it since: otherwise what the worker knows of its sessions is old.
"""
_RENEW = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('EXPIRE', KEYS[2], ARGV[3])
local kept, now = redis.call('PEXPIRE', KEYS[1], ARGV[2]), redis.call('TIME')
redis.call('ZADD', KEYS[3], now[1] * 1000 + math.floor(now[2] / 1000) + ARGV[2], ARGV[4])
return kept
"""
"""A Redis that is full refuses no script that has written before: ``PEXPIRE`` comes first."""
_RELEASE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SREM', KEYS[2], ARGV[2])
local now = redis.call('TIME')
if redis.call('SCARD', KEYS[4]) > 0 then
  redis.call('ZADD', KEYS[3], now[1] * 1000 + math.floor(now[2] / 1000), ARGV[2])
else
  redis.call('ZREM', KEYS[3], ARGV[2])
end
return redis.call('DEL', KEYS[1])
"""
_RAISE = """
local last = tonumber(redis.call('GET', KEYS[1]) or '0')
if last > tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
"""
"""Copy an epoch to ``audio``; 0 if there is a later one: who stood still on its way here must not undo that."""

_FREE = """
local freed, now = {}, redis.call('TIME')
for _, lane in ipairs(redis.call('HKEYS', KEYS[1])) do
  local holder = redis.call('GET', ARGV[2] .. lane)
  if holder and string.sub(holder, 1, #ARGV[1]) == ARGV[1] then
    redis.call('DEL', ARGV[2] .. lane)
    redis.call('ZADD', KEYS[2], now[1] * 1000 + math.floor(now[2] / 1000), lane)
    freed[#freed + 1] = tonumber(lane)
  end
end
return freed
"""
"""Its keys follow from the lanes that ever had an epoch: ``state`` is one server, not a cluster."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A lane held."""

    lane: int
    worker: str
    epoch: int

    @property
    def value(self) -> str:
        """Return what the lease's key holds."""
        return f"{self.worker}:{self.epoch}"


class Leases:
    """Claims, renews and releases lanes for one worker."""

    def __init__(self, state: Redis, audio: Redis, keys: Keys, worker: str) -> None:
        self._state, self._audio, self._keys, self._worker = state, audio, keys, worker
        self._claim = state.register_script(_CLAIM)
        self._renew = state.register_script(_RENEW)
        self._release = state.register_script(_RELEASE)
        self._free = state.register_script(_FREE)
        self._raise = audio.register_script(_RAISE)

    async def claim(self, lane: int, *, held: int = 0, new: bool = False, most: int = 0) -> Lease | None:
        """Take the lane if nobody else holds it.

        ``held`` is the epoch under which this worker had it until now: nobody may have had it since. With ``new``
        only a lane that never was anybody's is taken. ``most`` are the sessions that a takeover may bring this worker
        to, 0 any number.
        """
        floor = int(await self._audio.get(self._keys.lane_epoch(lane)) or 0)
        names = self._keys
        keys = [
            names.lease(lane),
            names.last_epoch(),
            names.lane_sessions(lane),
            names.worker_lanes(self._worker),
            names.lanes(),
        ]
        ttl_ms, patterns = round(LEASE_TTL_S * 1000), names.of_any_lane()
        args = (self._worker, lane, floor, ttl_ms, held, int(new), most, *patterns, WORKER_LANES_TTL_S)
        epoch: Any = await self._claim(keys=keys, args=args)
        if not epoch:
            return None
        if not await self._raise(keys=[self._keys.lane_epoch(lane)], args=[int(epoch), EPOCH_TTL_S]):
            return None
        return Lease(lane=lane, worker=self._worker, epoch=int(epoch))

    async def renew(self, lease: Lease) -> Lease | None:
        """Keep the lane; one that lapsed is claimed again under a new epoch. None: another has it, or has had it."""
        keys = [self._keys.lease(lease.lane), self._keys.worker_lanes(self._worker), self._keys.lanes()]
        args = (lease.value, round(LEASE_TTL_S * 1000), WORKER_LANES_TTL_S, lease.lane)
        return lease if await self._renew(keys=keys, args=args) else await self.claim(lease.lane, held=lease.epoch)

    async def release(self, lease: Lease) -> None:
        """Give the lane up, so that the next worker need not wait."""
        names = self._keys
        keys = [
            names.lease(lease.lane),
            names.worker_lanes(self._worker),
            names.lanes(),
            names.lane_sessions(lease.lane),
        ]
        await self._release(keys=keys, args=[lease.value, lease.lane])

    async def free(self, worker: str) -> list[int]:
        """Give up every lane of a worker that is gone, so that nobody need wait; return the lanes."""
        prefix = self._keys.lease(0).removesuffix("0")
        freed: Any = await self._free(keys=[self._keys.last_epoch(), self._keys.lanes()], args=[f"{worker}:", prefix])
        return sorted(int(lane) for lane in freed)
