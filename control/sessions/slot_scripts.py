"""The Lua scripts that give sessions their slots: every check and the taking in one step, so that no cap is exceeded.

Pure text. What a lane holds is counted in its set of sessions, whoever put them there; what a worker holds, over all
the lanes whose lease is the worker's at this moment.
"""

from __future__ import annotations

from enum import StrEnum


class Slot(StrEnum):
    """What came of asking for a slot."""

    TAKEN = "taken"
    QUEUED = "queued"
    """None is free for it; it waits."""
    PLACED = "placed"
    """The session is not waiting: someone else has placed or ended it."""
    FULL = "full"
    """No worker that was asked about has a free slot, or others wait for one."""
    QUEUE_FULL = "queue_full"
    QUOTA = "quota"
    """The tenant has as many sessions as it may."""
    RATE = "rate"
    """The tenant creates them too fast."""
    MINUTES = "minutes"
    """The tenant's sessions of today had as many minutes as they may."""
    EXISTS = "exists"
    """There is a record of this id."""


_CHOOSE = """
local plan = cjson.decode(ARGV[1])

-- The emptiest lane of the worker with most free slots; of equals the first. KEYS from `at` are the sets of lanes of
-- plan.workers: {{id, slots (0 is unlimited), {lane, ...}}, ...}, whose announced lanes may take a session. All that it
-- has leased count: one it has just taken over is not announced yet, one whose lease lapsed for a moment is still its.
local function choose(at)
  local best
  local counted, slots, all = {}, 0, 0
  for index, worker in ipairs(plan.workers) do
    local announced = {}
    for _, number in ipairs(worker[3]) do announced[number] = true end
    local used, lane = 0, nil
    for _, text in ipairs(redis.call('SMEMBERS', KEYS[at + index - 1])) do
      local holder, epoch = string.match(redis.call('GET', string.format(plan.lease, text)) or '', '^(.*):(%d+)$')
      if not holder or holder == worker[1] then
        local number, sessions = tonumber(text), string.format(plan.sessions, text)
        local taken = redis.call('SCARD', sessions)
        used = used + taken
        if not counted[text] then all = all + taken end
        counted[text] = true
        if holder and announced[number] and (not lane or taken < lane.taken) then
          lane = {taken = taken, number = number, worker = holder, epoch = epoch, sessions = sessions}
        end
      end
    end
    slots = slots + (worker[2] == 0 and math.huge or worker[2])
    local free = worker[2] == 0 and math.huge or worker[2] - used
    if lane and free > 0 and (not best or free > best.free or (free == best.free and used < best.used)) then
      best = {free = free, used = used, lane = lane}
    end
  end
  -- A lane that is on its way to another worker is nobody's: what it holds will fill slots that look free.
  local time = redis.call('TIME')
  local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
  for _, text in ipairs(redis.call('ZRANGEBYSCORE', plan.lanes, '-inf', now_ms, 'LIMIT', 0, 256)) do
    if not counted[text] and redis.call('EXISTS', string.format(plan.lease, text)) == 0 then
      all = all + redis.call('SCARD', string.format(plan.sessions, text))
    end
  end
  return best and all < slots and best.lane
end

local function take(lane, record)
  redis.call('SADD', lane.sessions, plan.id)
  redis.call('EXPIRE', lane.sessions, plan.live_ttl)
  redis.call('HSET', record, 'state', 'starting', 'lane', lane.number, 'worker', lane.worker, 'epoch', lane.epoch,
    'placed_at', plan.now)
end
"""

ADMIT = (
    _CHOOSE
    + """
-- KEYS record, log, tenant's index, live set, live by tenant, tenant's rate, provider's queue, then workers' lanes
-- ARGV plan as JSON, then field, value, ... of the record
--   plan: id, tenant, now, look_at, live_ttl, index_ttl, log_field, log_entry; with `workers` (and what leases
--   and sessions of `%d` are called: `lease`, `sessions`) the slot is decided here,
--   max_sessions, max_seconds (counted by the key `seconds`), interval_ms, tolerance_ms, max_queued; with `ticket` the
--   session may wait: queue_ttl, log_queued
if redis.call('EXISTS', KEYS[1]) == 1 then return {'exists'} end
local verdict, lane, paid, now_ms = 'taken', nil, nil, nil
if plan.workers then
  if plan.max_sessions > 0 then
    local first, beyond = '[' .. plan.tenant .. '\\0', '(' .. plan.tenant .. '\\1'
    if redis.call('ZLEXCOUNT', KEYS[5], first, beyond) >= plan.max_sessions then return {'quota'} end
  end
  if plan.max_seconds > 0 and tonumber(redis.call('GET', plan.seconds) or '0') >= plan.max_seconds then
    return {'minutes'}
  end
  if plan.interval_ms > 0 then
    local time = redis.call('TIME')
    now_ms = time[1] * 1000 + time[2] / 1000
    paid = math.max(now_ms, tonumber(redis.call('GET', KEYS[6]) or '0'))
    local wait = paid - now_ms - plan.tolerance_ms
    if wait > 0 then return {'rate', string.format('%.0f', math.ceil(wait))} end
    paid = paid + plan.interval_ms
  end
  local waiting = redis.call('ZCARD', KEYS[7])
  lane = waiting == 0 and choose(8)
  if not lane then
    if not plan.ticket then return {'full'} end
    if waiting >= plan.max_queued then return {'queue_full'} end
    verdict = 'queued'
    redis.call('ZADD', KEYS[7], plan.now, plan.ticket)
    redis.call('EXPIRE', KEYS[7], plan.queue_ttl)
  end
  if paid then redis.call('SET', KEYS[6], string.format('%.3f', paid), 'PX', math.ceil(paid - now_ms) + 1) end
end
redis.call('HSET', KEYS[1], unpack(ARGV, 2))
if lane then take(lane, KEYS[1]) end
redis.call('EXPIRE', KEYS[1], plan.live_ttl)
redis.call('XADD', KEYS[2], '*', plan.log_field, plan.log_entry)
redis.call('EXPIRE', KEYS[2], plan.live_ttl)
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', tonumber(plan.now) - plan.index_ttl)
redis.call('ZADD', KEYS[3], plan.now, plan.id)
redis.call('EXPIRE', KEYS[3], plan.index_ttl)
redis.call('ZADD', KEYS[4], plan.look_at, plan.id)
redis.call('EXPIRE', KEYS[4], plan.index_ttl)
redis.call('ZADD', KEYS[5], 0, plan.tenant .. '\\0' .. plan.id)
redis.call('EXPIRE', KEYS[5], plan.index_ttl)
return {verdict, lane and lane.number, lane and lane.worker, lane and lane.epoch}
"""
)
"""Write a new record, with its slot or its place in the queue; or nothing at all, and why.

Answers ``{verdict, ...}``: lane, worker and epoch for ``taken``, milliseconds to wait for ``rate``.
"""

PLACE = (
    _CHOOSE
    + """
-- KEYS record, provider's queue, its turns, then workers' lanes
-- ARGV plan as JSON: id, now, now_ms, tenant, ticket, queue_ttl, live_ttl, workers, lease and sessions of any lane
if redis.call('HGET', KEYS[1], 'state') ~= 'pending' then
  redis.call('ZREM', KEYS[2], plan.ticket)
  return {'placed'}
end
local lane = choose(4)
if not lane then return {'full'} end
redis.call('ZREM', KEYS[2], plan.ticket)
redis.call('HSET', KEYS[3], plan.tenant, plan.now_ms)
redis.call('EXPIRE', KEYS[3], plan.queue_ttl)
take(lane, KEYS[1])
return {'taken', lane.number, lane.worker, lane.epoch}
"""
)
"""Give a waiting session a slot and take it off the queue: ``taken``, ``full``, or ``placed``: it waits no more."""
