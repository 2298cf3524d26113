"""Comparing store and index, both ways: an object that nobody knows of is taken in, an entry without object is closed.

What a crash between the two leaves is cleared by sweeps already; this finds what was lost by other ways: a Redis that
lost its last second, a bucket that somebody cleaned by hand. A store of any size is compared piece by piece.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from datetime import time as midnight

from control.records import marker
from control.records.comparison import Comparison, Phase
from control.records.entry import Entry, EntryState, Reason
from control.records.index import BATCH, Begun, Index
from control.records.objects import Objects
from control.records.paths import ObjectPath, id_of
from control.records.policy import About, RetentionSettings
from control.records.walk import walk
from voicebackend.errors import InvalidFormat

DAY_S = 86_400.0
LOOKS = 16
"""Objects that are looked for at one time."""


async def reconcile(
    index: Index,
    objects: Objects,
    settings: RetentionSettings,
    begun: Comparison | None = None,
    *,
    for_s: float = float("inf"),
) -> Comparison:
    """Go on with a comparison, or begin one, for that many seconds at least a piece; mend what differs.

    Raises:
        ConnectionFailed: Redis or the store is not there, or it is another store; what was mended stays so.

    """
    until = asyncio.get_running_loop().time() + for_s
    now = Comparison(time.time()) if begun is None else begun
    await marker.check(index, objects)
    while now.phase is not Phase.DONE:
        if now.phase is Phase.STORE:
            now = await _through_store(index, objects, settings, now, until)
        else:
            now = await _through_index(index, objects, now, until)
        if asyncio.get_running_loop().time() >= until:
            break
    return now


async def _through_store(
    index: Index, objects: Objects, settings: RetentionSettings, now: Comparison, until: float
) -> Comparison:
    loop = asyncio.get_running_loop()
    page: list[tuple[str, int]] = []
    async with aclosing(walk(objects, now.at)) as found:
        async for item in found:
            page.append(item)
            if len(page) == BATCH:
                now, page = await _adopt(index, objects, settings, now, page), []
                if loop.time() >= until:
                    return now
    return (await _adopt(index, objects, settings, now, page)).turned()


async def _adopt(
    index: Index, objects: Objects, settings: RetentionSettings, now: Comparison, page: list[tuple[str, int]]
) -> Comparison:
    """Give entries to those of a page that have none; count them, and those that are none of ours."""
    known = {entry.id for entry in await index.many([id_of(path) for path, _ in page])}
    adopted = unknown = 0
    for path, size in page:
        if id_of(path) in known:
            continue
        try:
            entry = _entry_for(ObjectPath.parse(path), path, settings)
        except InvalidFormat:
            unknown += 1
            continue
        adopted += await _adopted(index, objects, entry, size)
    at = page[-1][0] if page else now.at
    return replace(now, at=at, adopted=now.adopted + adopted, unknown=now.unknown + unknown)


async def _adopted(index: Index, objects: Objects, entry: Entry, size: int) -> bool:
    """Take an object in, unless a sweep has just deleted it or somebody is writing it; tell whether that was done."""
    if not await objects.has(entry.path):
        return False
    begun = await index.begin(entry)
    if begun is Begun.REFUSED:
        await objects.delete(entry.path)  # it was deleted once, and has its receipt
    return begun is Begun.BEGUN and await index.stored(entry.id, size, "")


def _entry_for(place: ObjectPath, path: str, settings: RetentionSettings) -> Entry:
    """Return an entry by what the path says: the session's agent and subjects are not known any more."""
    rule = settings.rule(place.data_class, About(place.tenant))
    began = datetime.combine(place.day, midnight.min, UTC).timestamp()
    return Entry(
        id=id_of(path),
        path=path,
        tenant=place.tenant,
        data_class=place.data_class.value,
        session=place.session,
        policy=rule.policy,
        due=began + DAY_S + rule.ttl_s,
        began=began,
    )


async def _through_index(index: Index, objects: Objects, now: Comparison, until: float) -> Comparison:
    loop, cursor = asyncio.get_running_loop(), int(now.at or 0)
    while True:
        ids, cursor = await index.page(cursor, held=now.phase is Phase.HELD)
        now = replace(now, at=str(cursor), closed=now.closed + await _close(index, objects, ids))
        if not cursor:
            return now.turned()
        if loop.time() >= until:
            return now


async def _close(index: Index, objects: Objects, ids: list[str]) -> int:
    """Have those entries deleted that say ``stored`` and whose object is gone; return how many."""
    gate = asyncio.Semaphore(LOOKS)

    async def has(entry: Entry) -> bool:
        async with gate:
            return await objects.has(entry.path)

    stored = [entry for entry in await index.many(ids) if entry.state is EntryState.STORED]
    there = await asyncio.gather(*map(has, stored))
    gone = [entry.id for entry, is_there in zip(stored, there, strict=True) if not is_there]
    if gone:
        await marker.check(index, objects)  # a volume that went away meanwhile takes nothing with it
        await index.sooner(gone, Reason.MISSING)
    return len(gone)
