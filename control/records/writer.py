"""Writing an object: the index first, then the store, then the index again. Done twice, it is done once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from hashlib import sha256

from control.records import marker
from control.records.entry import Entry
from control.records.index import Begun, Index
from control.records.objects import Objects
from control.records.vault import Vault
from voicebackend.errors import PipelineError

_PLAIN = Vault()


async def write(index: Index, objects: Objects, entry: Entry, data: bytes, vault: Vault = _PLAIN) -> bool:
    """Write an object under an id that is always the same for it; False if it may not be, or is deleted.

    Raises:
        ConnectionFailed: Redis or the store is not there, or it is another store; to be done again.

    """
    await marker.check(index, objects)
    begun = await index.begin(wanted := replace(entry, size=0, sha256="", key=vault.new_key(entry.id)))
    if begun is Begun.REFUSED:
        return False
    found = [wanted] if begun is Begun.BEGUN else await index.many([entry.id])  # an earlier try had its own key
    if not found:
        return False
    data = await (_encrypted(objects, vault, found[0], data) if found[0].key else _plain(objects, entry, data))
    if await index.stored(entry.id, len(data), sha256(data).hexdigest()):
        return True
    await objects.delete(entry.path)  # a sweep had it while it was written, and has its receipt
    return False


async def _plain(objects: Objects, entry: Entry, data: bytes) -> bytes:
    """Return what lies in the store: what is there by an earlier try stays, and is what is noted."""
    return data if await objects.create(entry.path, data) else await objects.read(entry.path) or b""


async def _encrypted(objects: Objects, vault: Vault, entry: Entry, data: bytes) -> bytes:
    """Return what can be read in the store; what nobody can read any more, for its key is gone, is replaced."""
    sealed = await asyncio.to_thread(vault.seal, entry.id, entry.key, data)
    if await objects.create(entry.path, sealed):
        return data
    there = await objects.read(entry.path) or b""
    try:
        return await asyncio.to_thread(vault.open, entry.id, entry.key, there)
    except PipelineError:
        await objects.delete(entry.path)
        await objects.create(entry.path, sealed)
        return data
