"""Which sessions a lane has, and taking them over: their records then name the new holder."""

from __future__ import annotations

from typing import Any

from redis.asyncio import Redis

from voicebackend.errors import InvalidFormat
from voicebackend.keys import Keys
from voicebackend.record import SessionRecord
from voicebackend.session import SessionState, is_over
from worker.lease import Lease

_ADOPT = """
-- KEYS the lane's lease, its sessions, record
-- ARGV what the lease must be, session, worker, epoch, lane, states that are not over (",a,b,")
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {} end
local state, lane = unpack(redis.call('HMGET', KEYS[3], 'state', 'lane'))
if not state or lane ~= ARGV[5] or not string.find(ARGV[6], ',' .. state .. ',', 1, true) then
  redis.call('SREM', KEYS[2], ARGV[2])
  return {}
end
redis.call('HSET', KEYS[3], 'worker', ARGV[3], 'epoch', ARGV[4])
return redis.call('HGETALL', KEYS[3])
"""
LIVE = f",{','.join(state for state in SessionState if not is_over(state))},"
"""States that are not over, as scripts search them."""


async def adopt(state: Redis, keys: Keys, lease: Lease) -> list[SessionRecord]:
    """Let the records of a lane's sessions name its new holder, and return them.

    One that is over frees its slot; one that cannot be read is left to the reconciler. Nothing is returned, or changed,
    where the lane is another's by now.
    """
    script = state.register_script(_ADOPT)
    ids: Any = await state.smembers(keys.lane_sessions(lease.lane))
    records = []
    for session in sorted(name.decode() for name in ids):
        names = [keys.lease(lease.lane), keys.lane_sessions(lease.lane), keys.session(session)]
        flat: Any = await script(names, [lease.value, session, lease.worker, lease.epoch, lease.lane, LIVE])
        try:
            if flat:
                records.append(SessionRecord.from_fields(dict(zip(flat[::2], flat[1::2], strict=True))))
        except InvalidFormat:
            continue
    return records
