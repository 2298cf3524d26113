"""The Lua scripts of the index: each happens whole or not at all, and holds are looked at inside. Pure text.

``state`` is one server, never a cluster: keys of entries and holds are made inside, from patterns that are given.
A time of 0 means Redis' own clock; times are milliseconds since the epoch.
"""

from __future__ import annotations

_HELD = """
local function now(given)
  if tonumber(given) > 0 then return tonumber(given) end
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
local function held(pattern, tenant, session, subjects)
  local holds = string.format(pattern, tenant)
  if redis.call('EXISTS', holds) == 0 then return false end
  if redis.call('HEXISTS', holds, '*') == 1 or redis.call('HEXISTS', holds, 'session:' .. session) == 1 then
    return true
  end
  for subject in string.gmatch(subjects, '[^,]+') do
    if redis.call('HEXISTS', holds, 'subject:' .. subject) == 1 then return true end
  end
  return false
end
"""

BEGIN = (
    _HELD
    + """
-- KEYS entry, due, gone, withdrawn, sets of its session and subjects...
-- ARGV id, due, began, tenant, session, subjects, pattern of holds, pattern of erased subjects or '', due and reasons
--      (erased, withdrawn) of what is to go as soon as no hold keeps it, made, then field, value, ...
if redis.call('EXISTS', KEYS[1]) == 1 then return 'known' end
local unwanted, reason = redis.call('EXISTS', KEYS[3]) == 1, nil
for subject in string.gmatch(ARGV[8] ~= '' and ARGV[6] or '', '[^,]+') do
  local erased = redis.call('GET', string.format(ARGV[8], ARGV[4], subject))
  if erased and tonumber(erased) >= tonumber(ARGV[3]) then unwanted, reason = true, ARGV[10] end
end
local withdrawn = redis.call('GET', KEYS[4])
if withdrawn and tonumber(withdrawn) >= tonumber(ARGV[12]) then unwanted, reason = true, ARGV[11] end
if unwanted and not held(ARGV[7], ARGV[4], ARGV[5], ARGV[6]) then return 'refused' end
redis.call('HSET', KEYS[1], unpack(ARGV, 13))
if unwanted then redis.call('HSET', KEYS[1], 'due', ARGV[9], 'since', now('0')) end
if reason then redis.call('HSET', KEYS[1], 'reason', reason) end
redis.call('ZADD', KEYS[2], unwanted and ARGV[9] or ARGV[2], ARGV[1])
for number = 5, #KEYS do redis.call('SADD', KEYS[number], ARGV[1]) end
return 'begun'
"""
)
"""Note an object that is about to be written; what was deleted, or is about somebody who was erased, stays so.

Where a hold wants it kept all the same, it goes when that is lifted.
"""

STORED = """
-- KEYS entry; ARGV bytes, hash
local state = redis.call('HGET', KEYS[1], 'state')
if state == 'stored' then return 1 end
if state ~= 'writing' then return 0 end
redis.call('HSET', KEYS[1], 'state', 'stored', 'bytes', ARGV[1], 'sha256', ARGV[2])
return 1
"""
"""Note that it is written; 0 if it is being deleted, or gone."""

CLAIM = (
    _HELD
    + """
-- KEYS due, held
-- ARGV now or 0, most, lease, claim, pattern of entries, pattern of holds
local at, claimed = now(ARGV[1]), {}
local due = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', at, 'LIMIT', 0, ARGV[2])
for _, id in ipairs(due) do
  local entry = string.format(ARGV[5], id)
  local found = redis.call('HMGET', entry, 'tenant', 'session', 'subjects', 'due', 'state', 'sha256')
  if not found[1] then
    redis.call('ZREM', KEYS[1], id)
  elseif held(ARGV[6], found[1], found[2], found[3]) then
    redis.call('ZREM', KEYS[1], id)
    redis.call('ZADD', KEYS[2], found[4], id)
    if found[5] == 'deleting' then
      redis.call('HSET', entry, 'state', found[6] == '' and 'writing' or 'stored', 'claim', '')
    end
  else
    redis.call('HSET', entry, 'state', 'deleting', 'claim', ARGV[4])
    redis.call('ZADD', KEYS[1], at + tonumber(ARGV[3]), id)
    table.insert(claimed, {id, redis.call('HGETALL', entry)})
  end
end
return {#due, claimed}
"""
)
"""Take some objects that are due, for as long as the lease; those under a hold are put aside. Says of how many.

One that was claimed before a hold came, by a sweep that did not finish, is not being deleted any more.
"""

RESUME = """
-- KEYS head; ARGV count, hash
if redis.call('EXISTS', KEYS[1]) == 0 then redis.call('HSET', KEYS[1], 'count', ARGV[1], 'hash', ARGV[2]) end
return 1
"""
"""Have the chain go on behind a receipt, unless it is known where it ends."""

FINALISE = """
-- KEYS due, receipts, head
-- ARGV claim, hash expected, count after, hash after, patterns of entries, sessions and subjects, pattern of gone ids,
--      time to live of these, pattern of what a subject's erasures deleted, time to live of that, reason erasure,
--      then id, line, ...
local lost = {}
for number = 13, #ARGV, 2 do
  local claim = redis.call('HGET', string.format(ARGV[5], ARGV[number]), 'claim')
  if claim ~= ARGV[1] then table.insert(lost, ARGV[number]) end
end
local count, hash = redis.call('HGET', KEYS[3], 'count') or '0', redis.call('HGET', KEYS[3], 'hash') or ''
if #lost > 0 or hash ~= ARGV[2] then return {count, hash, lost} end
for number = 13, #ARGV, 2 do
  local id = ARGV[number]
  local entry = string.format(ARGV[5], id)
  local of = redis.call('HMGET', entry, 'tenant', 'session', 'subjects', 'reason')
  redis.call('ZREM', KEYS[1], id)
  redis.call('SREM', string.format(ARGV[6], of[2]), id)
  for subject in string.gmatch(of[3], '[^,]+') do
    redis.call('SREM', string.format(ARGV[7], of[1], subject), id)
    if of[4] == ARGV[12] then
      local erased = string.format(ARGV[10], of[1], subject)
      redis.call('XADD', erased, '*', 'r', ARGV[number + 1])
      redis.call('EXPIRE', erased, ARGV[11])
    end
  end
  redis.call('DEL', entry)
  redis.call('SET', string.format(ARGV[8], id), '1', 'EX', ARGV[9])
  redis.call('XADD', KEYS[2], '*', 'r', ARGV[number + 1])
end
redis.call('HSET', KEYS[3], 'count', ARGV[3], 'hash', ARGV[4])
return {ARGV[3], ARGV[4], {}}
"""
"""Write one receipt for each object, again for whoever was erased, and forget it.

Where the chain went on or a claim was lost, only say so.
"""

SOONER = (
    _HELD
    + """
-- KEYS due, held
-- ARGV due, reason, pattern of entries, pattern of holds, ids...
local answer = {}
for number = 5, #ARGV do
  local id = ARGV[number]
  local entry = string.format(ARGV[3], id)
  local found = redis.call('HMGET', entry, 'tenant', 'session', 'subjects', 'due', 'state')
  if not found[1] then
    table.insert(answer, 'gone')
  else
    if tonumber(ARGV[1]) < tonumber(found[4]) and found[5] ~= 'deleting' then
      redis.call('HSET', entry, 'due', ARGV[1], 'reason', ARGV[2], 'since', now('0'))
    end
    if held(ARGV[4], found[1], found[2], found[3]) then
      if found[5] == 'deleting' then table.insert(answer, 'too_late') else table.insert(answer, 'held') end
    else
      table.insert(answer, 'due')
    end
    for _, set in ipairs(found[5] == 'deleting' and {} or KEYS) do -- also what a lifted hold has not given back yet
      if redis.call('ZSCORE', set, id) then redis.call('ZADD', set, 'LT', ARGV[1], id) end
    end
  end
end
return answer
"""
)
"""Have objects deleted sooner than they would be; say of each what becomes of it."""

RELEASE = (
    _HELD
    + """
-- KEYS due, held
-- ARGV pattern of entries, pattern of holds, ids...
local released = 0
for number = 3, #ARGV do
  local id = ARGV[number]
  local entry = string.format(ARGV[1], id)
  local found = redis.call('HMGET', entry, 'tenant', 'session', 'subjects', 'due')
  local aside = redis.call('ZSCORE', KEYS[2], id)
  if aside and not found[1] then
    redis.call('ZREM', KEYS[2], id)
  elseif aside and not held(ARGV[2], found[1], found[2], found[3]) then
    redis.call('ZREM', KEYS[2], id)
    redis.call('ZADD', KEYS[1], found[4], id)
    released = released + 1
  end
end
return released
"""
)
"""Give objects that no hold covers any more back to the sweep."""

LATE = (
    _HELD
    + """
-- KEYS due; ARGV now or 0, most, pattern of entries
local at, longest = now(ARGV[1]), 0
for _, id in ipairs(redis.call('ZRANGE', KEYS[1], 0, tonumber(ARGV[2]) - 1)) do
  local found = redis.call('HMGET', string.format(ARGV[3], id), 'due', 'since')
  if found[1] then
    longest = math.max(longest, at - math.max(tonumber(found[1]), tonumber(found[2] or '0')))
  end
end
return longest
"""
)
"""For how long something has been due; what is claimed again and again counts too, by when it was due at first.

What is to go sooner than it would have is late by when that was asked for.
"""
