"""The Lua scripts that change session records: each one a compare-and-set that either happens whole or not at all.

Pure text. A script that could change something answers ``{verdict, field, value, ...}``: what came of it, and the
record as it stands then.
"""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """What came of a script."""

    DONE = "done"
    SAME = "same"
    """It was in that state already; nothing changed."""
    STALE = "stale"
    """The sender's lease is older than the record's; nothing changed."""
    MISSING = "missing"
    """There is no such record."""
    FULL = "full"
    """No more may be said; nothing changed."""
    ILLEGAL = "illegal"
    """The record's state does not allow it; nothing changed."""


MOVE = """
-- KEYS record, log, live set, live by tenant
-- ARGV id, state to reach, states it may come from (",a,b,"), fence, ttl when over, log field, two last log entries,
--      key of a tenant's seconds of today with %s for the tenant, then field, value, ...
local function answer(verdict)
  local record = redis.call('HGETALL', KEYS[1])
  table.insert(record, 1, verdict)
  return record
end
local from = redis.call('HGET', KEYS[1], 'state')
if not from then return {'missing'} end
if ARGV[4] ~= '' and tonumber(ARGV[4]) < tonumber(redis.call('HGET', KEYS[1], 'epoch')) then return answer('stale') end
if from == ARGV[2] then return answer('same') end
if not string.find(ARGV[3], ',' .. from .. ',', 1, true) then return answer('illegal') end
redis.call('HSET', KEYS[1], 'state', ARGV[2], unpack(ARGV, 10))
if ARGV[5] ~= '' then
  if redis.call('HGET', KEYS[1], 'lane') == '-1' and redis.call('EXISTS', KEYS[2]) == 1 then
    redis.call('XADD', KEYS[2], '*', ARGV[6], ARGV[7])
    redis.call('XADD', KEYS[2], '*', ARGV[6], ARGV[8])
  end
  redis.call('EXPIRE', KEYS[1], ARGV[5])
  redis.call('EXPIRE', KEYS[2], ARGV[5])
  redis.call('ZREM', KEYS[3], ARGV[1])
  local tenant, placed, ended = unpack(redis.call('HMGET', KEYS[1], 'tenant', 'placed_at', 'ended_at'))
  if tonumber(placed or '0') > 0 and tonumber(ended or '0') > tonumber(placed) then
    local seconds = string.gsub(ARGV[9], '%%s', function() return tenant end)
    redis.call('INCRBY', seconds, math.ceil(tonumber(ended) - tonumber(placed)))
    redis.call('EXPIRE', seconds, 172800)
  end
  redis.call('ZREM', KEYS[4], (redis.call('HGET', KEYS[1], 'tenant') or '') .. '\\0' .. ARGV[1])
end
return answer('done')
"""
"""Move a record to another state. A session that ends before it had a lane gets its last log entries here."""

CHANGE = """
-- KEYS record
-- ARGV tenant, states in which it may change (",a,b,"), then field, value, ...
local state, tenant = unpack(redis.call('HMGET', KEYS[1], 'state', 'tenant'))
if not state or tenant ~= ARGV[1] then return {'missing'} end
local legal = string.find(ARGV[2], ',' .. state .. ',', 1, true)
if legal then redis.call('HSET', KEYS[1], unpack(ARGV, 3)) end
local record = redis.call('HGETALL', KEYS[1])
table.insert(record, 1, legal and 'done' or 'illegal')
return record
"""
"""Change fields of a tenant's record that is not over; another tenant's is missing."""

CONSENT = """
-- KEYS record, sessions whose records are to be written or '', notes of what was withdrawn by class...
-- ARGV id, states in which it may be said (",a,b,"), what was said, how much may be said, when in ms, ttl of the notes,
--      now
local function answer(verdict)
  local record = redis.call('HGETALL', KEYS[1])
  table.insert(record, 1, verdict)
  return record
end
local state = redis.call('HGET', KEYS[1], 'state')
if not state then return {'missing'} end
if not string.find(ARGV[2], ',' .. state .. ',', 1, true) then return answer('illegal') end
local before = redis.call('HGET', KEYS[1], 'consent') or '[]'
if #before + #ARGV[3] > tonumber(ARGV[4]) then return answer('full') end
redis.call('HSET', KEYS[1], 'consent', string.sub(before, 1, -2) .. (before == '[]' and '' or ',') .. ARGV[3] .. ']')
for number = 3, #KEYS do redis.call('SET', KEYS[number], ARGV[5], 'EX', ARGV[6]) end
if KEYS[2] ~= '' then redis.call('ZADD', KEYS[2], 'NX', ARGV[7], ARGV[1]) end
return answer('done')
"""
"""Add what was said of consent to a record, and note in the same step what is withdrawn: none of it is written then."""

RENEW = """
-- KEYS record, log, tenant's index, live set, live by tenant
-- ARGV id, live ttl, index ttl, created at, look-at time, live states (",a,b,")
local state = redis.call('HGET', KEYS[1], 'state')
if not state or not string.find(ARGV[6], ',' .. state .. ',', 1, true) then
  redis.call('ZREM', KEYS[4], ARGV[1])
  return 0
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[2])
redis.call('ZADD', KEYS[3], ARGV[4], ARGV[1])
redis.call('EXPIRE', KEYS[3], ARGV[3])
redis.call('ZADD', KEYS[4], ARGV[5], ARGV[1])
redis.call('EXPIRE', KEYS[4], ARGV[3])
redis.call('ZADD', KEYS[5], 0, redis.call('HGET', KEYS[1], 'tenant') .. '\\0' .. ARGV[1])
redis.call('EXPIRE', KEYS[5], ARGV[3])
return 1
"""
"""Let a session that is not over live on, to be looked at again later; 0 if it is over or gone."""

ADOPT = """
-- KEYS record
-- ARGV lane, worker, epoch, live states (",a,b,")
local state, lane, epoch = unpack(redis.call('HMGET', KEYS[1], 'state', 'lane', 'epoch'))
if not state or not string.find(ARGV[4], ',' .. state .. ',', 1, true) then return 0 end
if lane ~= ARGV[1] or tonumber(epoch) >= tonumber(ARGV[3]) then return 0 end
redis.call('HSET', KEYS[1], 'worker', ARGV[2], 'epoch', ARGV[3])
return 1
"""
"""Note who holds a live session's lane now; 0 if the record knows, or knows better."""

ROTATE = """
-- KEYS used token, session's resume token
-- ARGV resume token id that must be current ('' when a session token is spent), the next one, its ttl,
--      ttl of the note that the session token was used
if ARGV[1] == '' then
  if not redis.call('SET', KEYS[1], '1', 'NX', 'EX', ARGV[4]) then return 0 end
elseif redis.call('GET', KEYS[2]) ~= ARGV[1] then
  return 0
end
redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[3])
return 1
"""
"""Spend a caller's token and put the next resume token in place; 0 if it was spent before."""

PUT_CONFIG = """
-- KEYS configuration
-- ARGV configuration as JSON, ttl
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local version = math.max(tonumber(redis.call('HGET', KEYS[1], 'version') or '0') + 1, now)
redis.call('HSET', KEYS[1], 'version', string.format('%d', version), 'config', ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
return version
"""
"""Put a configuration in force; its version is greater than any before, even one that expired."""
