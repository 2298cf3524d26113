"""What streams keep for their readers."""

from __future__ import annotations

import asyncio

import pytest

from providers.remote.outbox import Outbox
from voicebackend.errors import ConnectionFailed


async def _all(outbox: Outbox[int]) -> list[int]:
    return [item async for item in outbox.read()]


async def test_items_come_in_order_and_then_the_end() -> None:
    """Those that wait are still read."""
    outbox: Outbox[int] = Outbox()
    reader = asyncio.create_task(_all(outbox), name="reader")
    for item in range(3):
        await outbox.put(item)
    outbox.end()
    assert await reader == [0, 1, 2]


async def test_an_error_comes_after_what_was_there() -> None:
    """The first end counts."""
    outbox: Outbox[int] = Outbox()
    outbox.put_now(1)
    outbox.end(ConnectionFailed("test"))
    outbox.end()
    found = outbox.read()
    assert await anext(found) == 1
    with pytest.raises(ConnectionFailed):
        await anext(found)


async def test_closing_leaves_nothing_to_read() -> None:
    """Not even an error."""
    outbox: Outbox[int] = Outbox()
    outbox.put_now(1)
    outbox.end(ConnectionFailed("test"))
    outbox.close()
    assert await _all(outbox) == []


async def test_who_puts_too_much_waits_for_the_reader() -> None:
    """Reading makes room, and so does taking back."""
    outbox: Outbox[int] = Outbox(max_waiting=2)
    outbox.put_now(1)
    outbox.put_now(2)
    waiting = asyncio.create_task(outbox.put(3), name="writer")
    await asyncio.sleep(0)
    assert not waiting.done()
    outbox.take_back(lambda item: item == 1)
    await waiting
    outbox.end()
    assert await _all(outbox) == [2, 3]


async def test_whoever_waits_for_room_is_let_go_at_the_end() -> None:
    """Nobody will read any more."""
    outbox: Outbox[int] = Outbox(max_waiting=1)
    outbox.put_now(1)
    waiting = asyncio.create_task(outbox.put(2), name="writer")
    await asyncio.sleep(0)
    outbox.close()
    async with asyncio.timeout(1):
        await waiting
