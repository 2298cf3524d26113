"""Reading an object, or a range of it, encrypted or not."""

from __future__ import annotations

import asyncio

from control.records.entry import Entry
from control.records.objects import Objects
from control.records.vault import CHUNK, HEADER, Vault, chunks_of, last_chunk, sealed_size


async def read(objects: Objects, vault: Vault, entry: Entry, *, start: int = 0, end: int | None = None) -> bytes | None:
    """Return an object's content from ``start`` up to ``end``; None if it is not there.

    Raises:
        ConnectionFailed: the store does not answer.
        PipelineError: it cannot be decrypted.

    """
    end = entry.size if end is None else end
    if not entry.key:
        return await objects.read(entry.path, start=start, end=end)
    if (start, end) == (0, entry.size):
        sealed = await objects.read(entry.path)
        return None if sealed is None else await asyncio.to_thread(vault.open, entry.id, entry.key, sealed)
    first, low, high = chunks_of(start, end)
    header = await objects.read(entry.path, start=0, end=HEADER)
    body = await objects.read(entry.path, start=low, end=min(high, sealed_size(entry.size)))
    if header is None or body is None:
        return None
    last = last_chunk(entry.size)
    opened = await asyncio.to_thread(vault.open_chunks, entry.id, entry.key, header, body, first=first, last=last)
    return opened[start - first * CHUNK : end - first * CHUNK]
