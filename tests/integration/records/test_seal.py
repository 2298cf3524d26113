"""Receipts in the store, when Redis lost what it knew of them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis

from control.records import seal as sealing
from control.records.entry import Entry
from control.records.index import Index
from control.records.objects import Objects
from control.records.receipt import Head, chained
from control.records.seal import each_receipt, first_broken, receipts, seal
from control.records.sweep import sweep
from control.records.writer import write
from voicebackend.keys import Keys

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]
KEYS = Keys()


def entry(name: str) -> Entry:
    """Return an entry that is due."""
    return Entry(
        id=name, path=f"t/{name}", tenant="t", data_class="transcript", session="s", subjects=(), due=time.time() - 1
    )


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    """Give an empty store."""
    return Objects.open(f"file://{tmp_path}/records")


async def delete(redis: Redis, objects: Objects, *names: str) -> None:
    """Write objects, have them deleted, and their receipts sealed."""
    index = Index(redis, KEYS)
    for name in names:
        assert await write(index, objects, entry(name), b"x")
    assert await sweep(index, objects) == len(names)
    assert await seal(redis, KEYS, objects) == len(names)


async def test_the_chain_goes_on_behind_what_is_sealed_when_redis_lost_it(redis: Redis, objects: Objects) -> None:
    """No receipt of before or after is lost, on the same day, and the chain is whole."""
    await delete(redis, objects, "a", "b")
    await redis.flushdb()
    await delete(redis, objects, "c", "d")
    chain = await receipts(redis, KEYS, objects)
    assert [(one.number, one.id[:1]) for one in chain] == [(1, "a"), (2, "b"), (3, "c"), (4, "d")]
    assert await first_broken(redis, KEYS, objects, await Index(redis, KEYS).head()) is None


@pytest.mark.parametrize("later", [0.0, 86_400.0])
async def test_other_receipts_of_known_numbers_are_kept_and_break_the_chain(
    redis: Redis, objects: Objects, later: float
) -> None:
    """Sealed on the same day or another: nothing is destroyed for what lies there already, and it is told."""
    now = 1_764_000_000.0
    for at, name in ((now, "a"), (now + later, "z")):
        (receipt,) = chained([entry(name)], Head(), now)
        await redis.xadd(KEYS.receipts(), {"r": receipt.line})
        assert await seal(redis, KEYS, objects, at) == 1
    assert {one.id for one in await receipts(redis, KEYS, objects)} == {"a", "z"}
    assert await first_broken(redis, KEYS, objects, Head()) == 1


async def test_a_seal_that_died_before_it_forgot_is_repeated(redis: Redis, objects: Objects) -> None:
    """The same receipts twice are one."""
    (receipt,) = chained([entry("a")], Head(), 1.0)
    for _ in range(2):
        await redis.xadd(KEYS.receipts(), {"r": receipt.line})
        assert await seal(redis, KEYS, objects, 1_764_000_000.0) == 1
    assert await receipts(redis, KEYS, objects) == [receipt]
    assert await first_broken(redis, KEYS, objects, Head(1, receipt.hash)) is None


async def test_a_chain_of_any_length_is_read_page_by_page(
    redis: Redis, objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sealed or not: who verifies it has a page in memory, not all."""
    monkeypatch.setattr(sealing, "PAGE", 2)
    await delete(redis, objects, *"abcdef")
    for name in "gh":
        assert await write(Index(redis, KEYS), objects, entry(name), b"x")
    assert await sweep(Index(redis, KEYS), objects) == 2
    asked: list[str] = []
    read = objects.read

    async def noted(path: str) -> bytes | None:
        asked.append(path)
        return await read(path)

    monkeypatch.setattr(objects, "read", noted)
    chain = each_receipt(redis, KEYS, objects)
    assert (await anext(chain)).number == 1
    assert len(asked) == 2
    assert [one.number async for one in chain] == [2, 3, 4, 5, 6, 7, 8]
    assert await first_broken(redis, KEYS, objects, await Index(redis, KEYS).head()) is None


@pytest.mark.parametrize("at", [0, 1, 2, 3])
async def test_a_seal_beside_a_verification_is_no_false_alarm(
    redis: Redis, objects: Objects, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    """Whenever it comes: before the first page that lies in Redis is read, between two of them, or behind the last."""
    monkeypatch.setattr(sealing, "PAGE", 2)
    await delete(redis, objects, *"ab")
    index = Index(redis, KEYS)
    for name in "cdefg":
        assert await write(index, objects, entry(name), b"x")
    assert await sweep(index, objects) == 5
    xrange, pages = redis.xrange, 0

    async def sealed_meanwhile(*args: Any, **options: Any) -> Any:
        nonlocal pages
        pages += 1
        monkeypatch.setattr(redis, "xrange", xrange)
        if pages == at + 1:
            assert await seal(redis, KEYS, objects) == 5
        else:
            monkeypatch.setattr(redis, "xrange", sealed_meanwhile)
        return await xrange(*args, **options)

    monkeypatch.setattr(redis, "xrange", sealed_meanwhile)
    assert [one.number for one in await receipts(redis, KEYS, objects)] == [1, 2, 3, 4, 5, 6, 7]
    assert pages == at + 1
    assert await first_broken(redis, KEYS, objects, await index.head()) is None
