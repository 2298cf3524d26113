"""The Lua script that keeps a new API key: how many of a name there may be is decided where they are. Pure text."""

from __future__ import annotations

ADD = """
-- KEYS set of the tenant's keys, what keys of single ones begin with
-- ARGV plan as JSON: id, name, before ('' or the id of the one that is rotated), now (s), grace (s), most;
--      then field, value, ... of the new key
local plan = cjson.decode(ARGV[1])
local known, active = 0, 0
for _, id in ipairs(redis.call('SMEMBERS', KEYS[1])) do
  local name, expires = unpack(redis.call('HMGET', KEYS[2] .. id, 'name', 'expires_at'))
  if not name or (expires and tonumber(expires) <= plan.now) then
    redis.call('SREM', KEYS[1], id)
    redis.call('DEL', KEYS[2] .. id)
  else
    known = known + 1
    if name == plan.name then active = active + 1 end
  end
end
if known >= plan.most then return 'many' end
if plan.before == '' and active > 0 then return 'active' end
if plan.before ~= '' then
  if redis.call('EXISTS', KEYS[2] .. plan.before) == 0 then return 'gone' end
  if active > 1 then return 'rotating' end
  redis.call('HSET', KEYS[2] .. plan.before, 'expires_at', string.format('%.3f', plan.now + plan.grace))
  redis.call('EXPIRE', KEYS[2] .. plan.before, math.max(1, math.ceil(plan.grace)))
end
redis.call('HSET', KEYS[2] .. plan.id, unpack(ARGV, 2))
redis.call('SADD', KEYS[1], plan.id)
return 'done'
"""
"""Keep a key: ``done``, or why not: ``many``, ``active`` (one of this name), ``rotating`` (two of it).

Or ``gone``, which the one before is.
"""
