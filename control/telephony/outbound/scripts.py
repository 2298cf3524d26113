"""The Lua scripts that change calls: each happens whole or not at all. Pure text."""

from __future__ import annotations

CREATE = """
-- KEYS call, due, tenant's index, idempotency key, consent
-- ARGV id, call, ttl, due at, created at, digest of the request, ttl of the idempotency key, calls that may be planned,
--      consent, its ttl
local known = redis.call('GET', KEYS[4])
if known then return known end
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[8]) then return 'full' end
redis.call('HSET', KEYS[1], 'version', 1, 'call', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('ZADD', KEYS[2], ARGV[4], ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[3])
redis.call('ZADD', KEYS[3], ARGV[5], ARGV[1])
redis.call('EXPIRE', KEYS[3], ARGV[3])
if ARGV[9] ~= '' then redis.call('SET', KEYS[5], ARGV[9], 'EX', ARGV[10]) end
if ARGV[6] ~= '' then redis.call('SET', KEYS[4], ARGV[1] .. ' ' .. ARGV[6], 'EX', ARGV[7]) end
return ''
"""
"""Write a new call; its answer is empty, ``full``, or ``id digest`` of the call that has this idempotency key."""

PUT = """
-- KEYS call, due, active
-- ARGV id, version that was read, call, ttl, due at, look at; the times are empty where there is none
local version = redis.call('HGET', KEYS[1], 'version')
if version ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], 'version', tonumber(version) + 1, 'call', ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[4])
local function file(key, at)
  if at == '' then redis.call('ZREM', key, ARGV[1]) return end
  redis.call('ZADD', key, at, ARGV[1])
  redis.call('EXPIRE', key, ARGV[4])
end
file(KEYS[2], ARGV[5])
file(KEYS[3], ARGV[6])
return 1
"""
"""Write a call if nobody else has since it was read; its places in the two lists are those that it names."""

CLAIM = """
-- KEYS due, active, when the trunk may dial next
-- ARGV calls at once, calls a second, seconds that a claim lasts, ttl
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
if not first[1] then return {'', '-1'} end
if tonumber(first[2]) > now then return {'', tostring(tonumber(first[2]) - now)} end
if redis.call('ZCARD', KEYS[2]) >= tonumber(ARGV[1]) then return {'', '-1'} end
local free = tonumber(redis.call('GET', KEYS[3]) or '0')
if free > now then return {'', tostring(free - now)} end
local pause = 1 / tonumber(ARGV[2])
redis.call('SET', KEYS[3], string.format('%.6f', now + pause), 'PX', math.ceil(pause * 1000))
redis.call('ZREM', KEYS[1], first[1])
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[3]), first[1])
redis.call('EXPIRE', KEYS[2], ARGV[4])
return {first[1], '0'}
"""
"""Take the call that is due longest, if the trunk may make one more; else say in how many seconds, -1: nobody knows."""
