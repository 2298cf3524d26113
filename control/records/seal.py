"""Putting receipts into the store, day by day, and checking that none was changed, taken out or put in."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from redis.asyncio import Redis

from control.records.objects import Objects
from control.records.receipt import Head, Receipt, broken
from voicebackend._redis import redis_errors
from voicebackend.keys import Keys

FOLDER = "_receipts"
"""No tenant's name begins so."""
PAGE = 2_000
"""Receipts in one object."""
LOCK_S = 60
"""Seconds for which others leave the sealing to one that has begun."""
_OP = "receipts"


async def seal(redis: Redis, keys: Keys, objects: Objects, now: float | None = None) -> int:
    """Move receipts from Redis into objects of JSON lines; return how many. One that dies is repeated whole.

    Raises:
        ConnectionFailed: Redis or the store is not there; nothing is lost.

    """
    with redis_errors(_OP):
        if not await redis.set(keys.receipts_lock(), "1", nx=True, ex=LOCK_S):
            return 0
    sealed = 0
    day = datetime.fromtimestamp(time.time() if now is None else now, UTC)
    while True:
        with redis_errors(_OP):
            rows: Any = await redis.xrange(keys.receipts(), count=PAGE)
        if not rows:
            break
        lines = [fields[b"r"].decode() for _, fields in rows]
        first, last = Receipt.parse(lines[0]).number, Receipt.parse(lines[-1]).number
        path = f"{FOLDER}/{day:%Y/%m/%d}/{first:012}-{last:012}"
        await _put(objects, path, "".join(f"{line}\n" for line in lines).encode())
        with redis_errors(_OP):
            await redis.xdel(keys.receipts(), *(id_ for id_, _ in rows))
        sealed += len(rows)
    with redis_errors(_OP):
        await redis.delete(keys.receipts_lock())
    return sealed


async def _put(objects: Objects, path: str, lines: bytes) -> None:
    """Write receipts; where others of the same numbers are already, beside them: none is ever lost for another."""
    if await objects.create(f"{path}.jsonl", lines) or await objects.read(f"{path}.jsonl") == lines:
        return
    await objects.create(f"{path}-{sha256(lines).hexdigest()}.jsonl", lines)


async def last_sealed(objects: Objects) -> Head:
    """Return where the receipts in the store end: what a Redis that lost its own goes on from."""
    paths = [path async for path, _ in objects.list(f"{FOLDER}/")]
    if not paths:
        return Head()
    latest = max(paths, key=lambda path: path.rsplit("/", 1)[-1][13:25])
    lines = (await objects.read(latest) or b"").decode().splitlines()
    last = Receipt.parse(lines[-1])
    return Head(last.number, last.hash)


async def receipts(redis: Redis, keys: Keys, objects: Objects) -> list[Receipt]:
    """Return all of ``each_receipt``: only where there are few."""
    return [receipt async for receipt in each_receipt(redis, keys, objects)]


async def each_receipt(redis: Redis, keys: Keys, objects: Objects) -> AsyncIterator[Receipt]:
    """Yield all receipts, sealed and not, in their order; one that is in two places comes once.

    Two that differ under one number both come, which breaks the chain. Some thousand are in memory at a time.
    """
    waiting: dict[tuple[int, str], Receipt] = {}
    async for page in _pages(redis, keys, objects):
        first = page[0].number
        for which in sorted(which for which in waiting if which[0] < first):
            yield waiting.pop(which)
        waiting.update({(receipt.number, receipt.hash): receipt for receipt in page})
    for which in sorted(waiting):
        yield waiting[which]


async def _pages(redis: Redis, keys: Keys, objects: Objects) -> AsyncIterator[list[Receipt]]:
    """Yield receipts by their first numbers, as they lie together: sealed ones, then those in Redis.

    What is sealed meanwhile is in the store before it goes from Redis: where numbers are missing there, and at the end,
    it is looked for once more.
    """
    seen: set[str] = set()
    last, after = 0, "-"
    async for page in _sealed(objects, seen):
        last = max(last, page[-1].number)
        yield page
    while True:
        with redis_errors(_OP):
            rows: Any = await redis.xrange(keys.receipts(), min=after, count=PAGE)
        found = [Receipt.parse(fields[b"r"].decode()) for _, fields in rows]
        if not found or found[0].number > last + 1:
            async for page in _sealed(objects, seen):
                if unread := [receipt for receipt in page if receipt.number > last]:
                    last = unread[-1].number
                    yield unread
        if not found:
            return
        last, after = max(last, found[-1].number), f"({rows[-1][0].decode()}"
        yield found


async def _sealed(objects: Objects, seen: set[str]) -> AsyncIterator[list[Receipt]]:
    """Yield sealed receipts by their first numbers, file by file; those of ``seen`` no more."""
    paths = [path async for path, _ in objects.list(f"{FOLDER}/") if path not in seen]
    seen.update(paths)
    for path in sorted(paths, key=lambda path: path.rsplit("/", 1)[-1]):
        if lines := (await objects.read(path) or b"").decode().splitlines():
            yield [Receipt.parse(line) for line in lines]


async def first_broken(redis: Redis, keys: Keys, objects: Objects, head: Head) -> int | None:
    """Return the number of the first receipt that is missing or was changed; None if all up to ``head`` are there."""
    last = Head()
    async for receipt in each_receipt(redis, keys, objects):
        if broken([receipt], last) is not None:
            return receipt.number
        last = Head(receipt.number, receipt.hash)
        if last.count == head.count and last != head:  # more may have come since the head was read
            return last.count
    return last.count + 1 if last.count < head.count else None
