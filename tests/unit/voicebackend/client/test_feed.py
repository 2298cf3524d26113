"""Values between callbacks and ``async for``."""

from __future__ import annotations

import asyncio

from voicebackend.client.feed import Feed


async def test_values_come_in_order_until_the_end() -> None:
    """What waits is still read after the end; nothing comes after it."""
    feed: Feed[int] = Feed(10)
    feed.put(1)
    feed.put(2)
    feed.close()
    feed.put(3)
    assert [value async for value in feed] == [1, 2]


async def test_a_reader_that_waits_is_woken() -> None:
    """A reader waits for the next value and for the end."""
    feed: Feed[int] = Feed(10)
    reading = asyncio.create_task(anext(feed))
    await asyncio.sleep(0)
    feed.put(1)
    assert await reading == 1


async def test_the_oldest_go_first_when_nobody_reads() -> None:
    """A feed is bounded."""
    feed: Feed[int] = Feed(2)
    for value in range(5):
        feed.put(value)
    feed.close()
    assert [value async for value in feed] == [3, 4]


async def test_unwanted_values_can_be_dropped() -> None:
    """Dropping leaves the rest in order and the bound in place."""
    feed: Feed[int] = Feed(3)
    for value in (1, 2, 3):
        feed.put(value)
    feed.drop(lambda value: value == 2)
    feed.put(4)
    feed.put(5)
    feed.close()
    assert [value async for value in feed] == [3, 4, 5]
