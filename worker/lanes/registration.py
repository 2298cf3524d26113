"""What ``state`` knows of the sessions that run in a lane, put right by the lane's holder.

A ``state`` that restarts may have lost what was written in the last second: a slot, where a session runs, all of its
record. The holder knows better, as long as the lease is its own.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from redis.asyncio import Redis

from voicebackend.keys import Keys
from voicebackend.record import LIVE_TTL_S, LOG_FIELD, SessionRecord, encode_log
from voicebackend.session import SessionState
from worker.lanes.adoption import LIVE
from worker.lease import Lease


class Finding(StrEnum):
    """What was found of a session that ``state`` did not know as it runs."""

    SLOT = "slot"
    """It had no slot, and was given it back."""
    LOST = "lost"
    """There is no record of it, or one from before it had its slot: ``restore`` it."""
    OVER = "over"
    """Its record says that it has ended."""
    FOREIGN = "foreign"
    """It runs elsewhere."""


_REGISTER = """
-- KEYS the lane's lease, its sessions, record, record, ...
-- ARGV what the lease must be, worker, epoch, lane, states that are not over (",a,b,"), sessions of any lane,
--      ttl of the lane's sessions, then session, state, ...
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return false end
local found, runs = {}, {starting = true, ready = true, active = true}
local function find(session, what)
  found[#found + 1] = session
  found[#found + 1] = what
end
for index = 3, #KEYS do
  local session, here = ARGV[2 + 2 * index], ARGV[3 + 2 * index]
  local state, lane, worker, epoch = unpack(redis.call('HMGET', KEYS[index], 'state', 'lane', 'worker', 'epoch'))
  local elsewhere = lane ~= ARGV[4]
  if not state or state == 'pending' then
    find(session, 'lost')
  elseif not string.find(ARGV[5], ',' .. state .. ',', 1, true) then
    find(session, 'over')
  elseif elsewhere and (here ~= 'active' or state == 'active') then
    find(session, 'foreign')
  elseif not elsewhere and tonumber(epoch or '0') > tonumber(ARGV[3]) then
    find(session, 'foreign')
  else
    if elsewhere then redis.call('SREM', string.format(ARGV[6], lane), session) end
    if elsewhere or worker ~= ARGV[2] or epoch ~= ARGV[3] then
      redis.call('HSET', KEYS[index], 'lane', ARGV[4], 'worker', ARGV[2], 'epoch', ARGV[3])
    end
    if state ~= here and runs[state] and here ~= 'starting' then redis.call('HSET', KEYS[index], 'state', here) end
    if redis.call('SISMEMBER', KEYS[2], session) == 0 then
      redis.call('SADD', KEYS[2], session)
      redis.call('EXPIRE', KEYS[2], ARGV[7])
      find(session, 'slot')
    end
  end
end
return found
"""
"""Nothing is written where all is as it should be: also a Redis that is full answers.

A session never changes its lane. One that waited for its slot may be given another when the first was forgotten: then
it runs twice, and where its caller is, it goes on.
"""
_RESTORE = """
-- KEYS the lane's lease, its sessions, record, log, live sessions
-- ARGV what the lease must be, session, ttl, now in s, log field, log entry, then field, value, ... of the record
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local state = redis.call('HGET', KEYS[3], 'state')
if state and state ~= 'pending' then return 0 end
redis.call('HSET', KEYS[3], unpack(ARGV, 7))
redis.call('SADD', KEYS[2], ARGV[2])
if redis.call('EXISTS', KEYS[4]) == 0 then redis.call('XADD', KEYS[4], '*', ARGV[5], ARGV[6]) end
redis.call('ZADD', KEYS[5], ARGV[4], ARGV[2])
for index = 2, 5 do redis.call('EXPIRE', KEYS[index], ARGV[3]) end
return 1
"""
"""The reconciler, which looks at live sessions, brings the other indexes back."""


async def register(
    state: Redis, keys: Keys, lease: Lease, running: Mapping[str, SessionState]
) -> dict[str, Finding] | None:
    """Let slots and records of a lane's sessions say that they run here, and in which state; None: it is not held.

    Returned are the sessions of which something else was found.
    """
    names = [keys.lease(lease.lane), keys.lane_sessions(lease.lane), *map(keys.session, running)]
    args: list[Any] = [lease.value, lease.worker, lease.epoch, lease.lane, LIVE, keys.of_any_lane()[1], LIVE_TTL_S]
    for session, stands in running.items():
        args += [session, str(stands)]
    flat: list[bytes] | None = await state.register_script(_REGISTER)(names, args)
    if flat is None:
        return None
    text = [part.decode() for part in flat]
    return {session: Finding(found) for session, found in zip(text[::2], text[1::2], strict=True)}


async def restore(state: Redis, keys: Keys, lease: Lease, record: SessionRecord) -> bool:
    """Write the record of a session that runs here and its slot; False if the lane is not held, or it has a record."""
    names = [keys.lease(lease.lane), keys.lane_sessions(lease.lane), keys.session(record.id)]
    names += [keys.session_log(record.id), keys.live_sessions()]
    entry = encode_log({"type": "session", "state": str(record.state)})[LOG_FIELD]
    args: list[Any] = [lease.value, record.id, LIVE_TTL_S, repr(time.time()), LOG_FIELD, entry]
    for pair in record.to_fields().items():
        args += pair
    return bool(await state.register_script(_RESTORE)(names, args))
