"""An index of any size in Redis, as sessions would have left it, and the objects of its oldest entries."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Any, cast

from redis.asyncio import Redis

from control.records import marker
from control.records.entry import Entry, EntryState
from control.records.index import Index
from control.records.objects import Objects
from voicebackend.keys import Keys

DATA = b'{"segments": []}'
AT_ONCE = 32
"""Objects that are written at one time."""
_SHARE = 500
"""Entries in one script: Redis serves nobody else while it runs."""
_TENANT, _SUBJECTS = "default", 100_000
_FILL = """
-- ARGV first, last, due of the first, how many people there are; patterns of entries, sessions and subjects; a pattern
--      of paths; then field, value, ... that are the same for all
local fields = {'path', '', 'session', '', 'subjects', '', 'due', ''}
for at = 9, #ARGV do table.insert(fields, ARGV[at]) end
for number = tonumber(ARGV[1]), tonumber(ARGV[2]) do
  local session = string.format('%032x', number)
  local subject = string.format('%032x', number % tonumber(ARGV[4]))
  local due = string.format('%d', tonumber(ARGV[3]) + number)
  fields[2], fields[4], fields[6], fields[8] = string.format(ARGV[8], session), session, subject, due
  redis.call('HSET', string.format(ARGV[5], session), unpack(fields))
  redis.call('ZADD', KEYS[1], due, session)
  redis.call('SADD', string.format(ARGV[6], session), session)
  redis.call('SADD', string.format(ARGV[7], subject), session)
end
"""
_OWN = frozenset({"path", "session", "subjects", "due"})


def _path(session: str) -> str:
    return f"{_TENANT}/transcript/2026/11/01/{session}/transcript.json"


async def fill(redis: Redis, keys: Keys, entries: range) -> float:
    """Note objects that were due long ago, the first longest; return the seconds that took."""
    began = time.perf_counter()
    due = round((time.time() - 86_400) * 1000)
    constant: list[Any] = [due, _SUBJECTS, keys.record("%s"), keys.records_of("%s")]
    constant += [keys.records_about(_TENANT, "%s"), _path("%s"), *_fields()]
    script = redis.register_script(_FILL)
    for first in range(entries.start, entries.stop, _SHARE):
        share = [first, min(first + _SHARE, entries.stop) - 1]
        await cast("Any", script(keys=[keys.records_due()], args=[*share, *constant]))
    return time.perf_counter() - began


def _fields() -> list[str]:
    """Return what is the same in all entries, as Redis has it."""
    began = time.time() - 2 * 86_400
    about = {"tenant": _TENANT, "data_class": "transcript", "policy": "transcripts", "session": "", "path": ""}
    stored = {"due": 0.0, "began": began, "size": len(DATA), "sha256": "0" * 64, "state": EntryState.STORED}
    fields = Entry(id="", **about, **stored).to_fields()  # type: ignore[arg-type]
    return [part for name, value in fields.items() if name not in _OWN for part in (name, value)]


async def write(index: Index, objects: Objects, entries: Iterable[int]) -> None:
    """Write the objects of these entries."""
    await marker.check(index, objects)
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with gate:
            await objects.create(_path(f"{number:032x}"), DATA)

    await asyncio.gather(*map(one, entries))
