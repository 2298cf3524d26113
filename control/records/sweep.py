"""Deleting what is due: claimed in small portions, deleted in the store, receipted once, whatever dies in between."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from control.records import marker
from control.records.entry import Entry
from control.records.index import LEASE_S, Claimed, Index
from control.records.objects import Objects
from voicebackend.errors import ConnectionFailed

PORTION = 20
"""Objects that are claimed, deleted and receipted together. Redis serves no call while it claims or receipts them, for
about a millisecond; more of them, less often, would have calls wait for longer."""
RATE = 300.0
"""Objects a second, unless the settings say otherwise: a tenth of a core, and a million within the hour."""


async def sweep(
    index: Index,
    objects: Objects,
    *,
    for_s: float = LEASE_S / 2,
    rate: float = RATE,
    now: float = 0.0,
) -> int:
    """Delete what is due, for up to ``for_s`` seconds; return how many objects have a receipt now.

    ``now`` of 0 is Redis' clock. What cannot be deleted stays claimed, and is tried again when its lease has lapsed.

    Raises:
        ConnectionFailed: Redis is not there, or the store is not the one that it was: nothing more is receipted.

    """
    await marker.check(index, objects)
    loop = asyncio.get_running_loop()
    until, done = loop.time() + for_s, 0
    most = max(1, min(PORTION, round(rate / 4)))
    while loop.time() < until:
        began = loop.time()
        claimed = await index.claim(most=most, now=now)
        if not claimed.looked:
            break
        done += await _delete(index, objects, claimed, now) if claimed.entries else 0
        await asyncio.sleep(max(0.0, claimed.looked / rate - (loop.time() - began)))
    return done


async def _delete(index: Index, objects: Objects, claimed: Claimed, now: float) -> int:
    """Delete what was claimed; return how many have a receipt now."""
    gone = replace(claimed, entries=await _gone(objects, claimed.entries))
    await marker.check(index, objects)  # to be gone from an empty folder is no proof
    return await index.finalise(gone, now or time.time())


async def _gone(objects: Objects, entries: tuple[Entry, ...]) -> tuple[Entry, ...]:
    """Delete from the store; return those that are gone from it."""

    async def delete(entry: Entry) -> bool:
        try:
            await objects.delete(entry.path)
        except ConnectionFailed:
            return False
        return True

    gone = await asyncio.gather(*(delete(entry) for entry in entries))
    return tuple(entry for entry, is_gone in zip(entries, gone, strict=True) if is_gone)
