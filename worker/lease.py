"""Who holds a lane: a lease with a time to live, under an epoch that only ever grows.

The scripts run in ``state``. A copy of the epoch lies beside the lane in ``audio``, so that neither server alone,
however it lost its memory, can make an old epoch come back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from redis.asyncio import Redis

from voicebackend.keys import Keys

LEASE_TTL_S = 1.5
"""Seconds that a lease lives without renewal."""
RENEW_S = 0.4
"""Seconds between renewals."""
MUTE_S = 1.2
"""Seconds without a renewal after which the holder stops speaking."""
UNSURE_S = 10.0
"""Seconds that a holder goes on speaking while the server of leases answers nobody."""
EPOCH_TTL_S = 24 * 3600
"""Seconds that the copy of a lane's epoch lives; afterwards the clock alone is later than any epoch issued."""

_CLAIM = """
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
local now = redis.call('TIME')
local last = tonumber(redis.call('HGET', KEYS[2], ARGV[2]) or '0')
local epoch = math.max(last, tonumber(ARGV[3]), now[1] * 1000 + math.floor(now[2] / 1000)) + 1
redis.call('HSET', KEYS[2], ARGV[2], string.format('%.0f', epoch))
redis.call('SET', KEYS[1], ARGV[1] .. ':' .. string.format('%.0f', epoch), 'PX', ARGV[4])
return epoch
"""
_RENEW = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('PEXPIRE', KEYS[1], ARGV[2]) end return 0"
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"

_FREE = """
local freed = {}
for _, lane in ipairs(redis.call('HKEYS', KEYS[1])) do
  local holder = redis.call('GET', ARGV[2] .. lane)
  if holder and string.sub(holder, 1, #ARGV[1]) == ARGV[1] then
    redis.call('DEL', ARGV[2] .. lane)
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

    async def claim(self, lane: int) -> Lease | None:
        """Take the lane if nobody holds it."""
        floor = int(await self._audio.get(self._keys.lane_epoch(lane)) or 0)
        keys = [self._keys.lease(lane), self._keys.last_epoch()]
        epoch: Any = await self._claim(keys=keys, args=[self._worker, lane, floor, round(LEASE_TTL_S * 1000)])
        if not epoch:
            return None
        await self._audio.set(self._keys.lane_epoch(lane), int(epoch), ex=EPOCH_TTL_S)
        return Lease(lane=lane, worker=self._worker, epoch=int(epoch))

    async def renew(self, lease: Lease) -> Lease | None:
        """Keep the lane; a lease that lapsed is claimed again under a new epoch. None: someone else holds it."""
        ttl_ms = round(LEASE_TTL_S * 1000)
        if await self._renew(keys=[self._keys.lease(lease.lane)], args=[lease.value, ttl_ms]):
            return lease
        again = await self.claim(lease.lane)
        return None if again is None else replace(lease, epoch=again.epoch)

    async def release(self, lease: Lease) -> None:
        """Give the lane up, so that the next worker need not wait."""
        await self._release(keys=[self._keys.lease(lease.lane)], args=[lease.value])

    async def free(self, worker: str) -> list[int]:
        """Give up every lane of a worker that is gone, so that nobody need wait; return the lanes."""
        prefix = self._keys.lease(0).removesuffix("0")
        freed: Any = await self._free(keys=[self._keys.last_epoch()], args=[f"{worker}:", prefix])
        return sorted(int(lane) for lane in freed)
