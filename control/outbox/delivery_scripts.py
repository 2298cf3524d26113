"""The Lua scripts that move deliveries: one step each, at the one endpoint that a delivery goes to. Pure text.

An endpoint has so many tries at once, and so has its tenant; one that failed too often in a row has one, after a pause.
"""

from __future__ import annotations

_WAY = """
-- KEYS due at the endpoint, endpoints with something due, tries of the tenant, health of the endpoint, given up
-- ARGV plan as JSON: now (s), endpoint, name (tenant and endpoint), delivery (what keys of single ones begin with),
--      lease_s, live_s, done_s, given_up_s, most_given_up, patience_s, of_endpoint, of_tenant, max_failures, pause_s,
--      longest_pause_s; and what the step itself needs
local plan = cjson.decode(ARGV[1])
local now = plan.now

local function health()
  local told = redis.call('HMGET', KEYS[4], 'failures', 'until')
  return tonumber(told[1] or 0) >= plan.max_failures, tonumber(told[2] or 0)
end

local function room()
  local failing, pause = health()
  if failing and pause > now then return 0 end
  redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now)
  local begins, all, here = plan.endpoint .. ':', 0, 0
  for _, one in ipairs(redis.call('ZRANGE', KEYS[3], 0, -1)) do
    all = all + 1
    if string.sub(one, 1, #begins) == begins then here = here + 1 end
  end
  return math.min((failing and 1 or plan.of_endpoint) - here, plan.of_tenant - all)
end

local function start(id)
  redis.call('ZADD', KEYS[3], now + plan.lease_s, plan.endpoint .. ':' .. id)
  redis.call('EXPIRE', KEYS[3], plan.live_s)
  redis.call('ZADD', KEYS[1], now + plan.lease_s, id)
end

local function stop(id)
  redis.call('ZREM', KEYS[3], plan.endpoint .. ':' .. id)
end

local function give_up(id)
  redis.call('HSET', plan.delivery .. id, 'state', 'given_up', 'leased_until', '0')
  redis.call('EXPIRE', plan.delivery .. id, plan.given_up_s)
  redis.call('ZREM', KEYS[1], id)
  redis.call('ZADD', KEYS[5], now, id)
  redis.call('ZREMRANGEBYSCORE', KEYS[5], '-inf', now - plan.given_up_s)
  redis.call('EXPIRE', KEYS[5], plan.given_up_s)
  for _, old in ipairs(redis.call('ZRANGE', KEYS[5], 0, -1 - plan.most_given_up)) do
    redis.call('ZREM', KEYS[5], old)
    redis.call('DEL', plan.delivery .. old)
  end
end

local function look()  -- after others that were looked at before
  local first = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
  if #first == 0 then
    redis.call('ZREM', KEYS[2], plan.name)
    return
  end
  local failing, pause = health()
  redis.call('ZADD', KEYS[2], math.max(now, tonumber(first[2]), failing and pause or 0), plan.name)
end
"""
PUT = (
    _WAY
    + """
-- ARGV plan with id, told; fields and values
local key = plan.delivery .. plan.id
if redis.call('EXISTS', key) == 1 then return 0 end
redis.call('HSET', key, unpack(ARGV, 2))
redis.call('EXPIRE', key, plan.live_s)
redis.call('ZADD', KEYS[1], now, plan.id)
local told = plan.told and room() > 0
if told then start(plan.id) end
look()
return told and 1 or 0
"""
)
"""Write a delivery; 1 if somebody is to be told of it, and has a try for that."""
TAKE = (
    _WAY
    + """
-- ARGV plan with at_once
local free, failing = room(), health()
local taken, given_up = {}, {}
local most = failing and plan.at_once or math.max(0, math.min(free, plan.at_once))
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, most)) do
  local found = redis.call('HMGET', plan.delivery .. id, 'state', 'created_at')
  if found[1] ~= 'pending' then
    redis.call('ZREM', KEYS[1], id)
  elseif #taken < free then
    start(id)
    table.insert(taken, id)
  elseif failing and tonumber(found[2]) + plan.patience_s <= now then
    give_up(id)
    table.insert(given_up, id)
  end
end
look()
return {taken, given_up}
"""
)
"""Give tries to what is due, longest due first; where the endpoint fails, give up what has waited for a day."""
CLAIM = (
    _WAY
    + """
-- ARGV plan with id
local key = plan.delivery .. plan.id
if redis.call('HGET', key, 'state') ~= 'pending' then
  redis.call('ZREM', KEYS[1], plan.id)
  stop(plan.id)
  look()
  return false
end
local wait = redis.call('HMGET', key, 'leased_until', 'not_before')
if tonumber(wait[1] or 0) > now or tonumber(wait[2] or 0) > now then return false end
local held = tonumber(redis.call('ZSCORE', KEYS[3], plan.endpoint .. ':' .. plan.id) or 0) > now
if not held and room() < 1 then return false end
start(plan.id)
redis.call('HSET', key, 'leased_until', now + plan.lease_s)
redis.call('HINCRBY', key, 'attempts', 1)
look()
return redis.call('HGETALL', key)
"""
)
"""Lease a delivery for a try, which counts from here, if there is one for it."""
SETTLE = (
    _WAY
    + """
-- ARGV plan with id, attempt, state, status, error, due, failed
local key = plan.delivery .. plan.id
if tonumber(redis.call('HGET', key, 'attempts') or -1) ~= plan.attempt then return 0 end
stop(plan.id)
if not plan.failed then
  redis.call('DEL', KEYS[4])
elseif select(2, health()) <= now then  -- not by tries that were on their way when it was left alone
  local more = redis.call('HINCRBY', KEYS[4], 'failures', 1) - plan.max_failures
  if more >= 0 then
    redis.call('HSET', KEYS[4], 'until', now + math.min(plan.longest_pause_s, plan.pause_s * 2 ^ more))
  end
  redis.call('EXPIRE', KEYS[4], plan.live_s)
end
if plan.state == 'delivered' then
  redis.call('DEL', key)
  redis.call('HSET', key, 'state', 'delivered')
  redis.call('EXPIRE', key, plan.done_s)
  redis.call('ZREM', KEYS[1], plan.id)
else
  redis.call('HSET', key, 'status', plan.status, 'error', plan.error, 'not_before', plan.due, 'leased_until', '0')
  redis.call('EXPIRE', key, plan.live_s)
  redis.call('ZADD', KEYS[1], plan.due, plan.id)
  if plan.state == 'given_up' then give_up(plan.id) end
end
look()
return 1
"""
)
"""Note what a try came to, for the delivery and for its endpoint; of one that arrived a bare marker is left."""
AGAIN = (
    _WAY
    + """
-- ARGV plan with id, owner; now as text
local key = plan.delivery .. plan.id
local found = redis.call('HMGET', key, 'tenant', 'state')
if found[1] ~= plan.owner or found[2] ~= 'given_up' then return -1 end
redis.call('HSET', key, 'state', 'pending', 'attempts', '0', 'created_at', ARGV[2], 'not_before', '0')
redis.call('EXPIRE', key, plan.live_s)
redis.call('ZREM', KEYS[5], plan.id)
redis.call('ZADD', KEYS[1], now, plan.id)
local told = room() > 0
if told then start(plan.id) end
look()
return told and 1 or 0
"""
)
"""Have a delivery tried anew; 1 if somebody is to be told of it, -1 if the tenant has none that was given up."""
