"""A bell wakes the one that waits, or the one that waits next."""

from __future__ import annotations

import asyncio

import pytest

from voicebackend.bell import Bell


async def test_who_waits_is_woken_once_for_any_number_of_rings() -> None:
    bell, woken = Bell(), 0

    async def wait() -> None:
        nonlocal woken
        while True:
            await bell.wait()
            woken += 1

    waiting = asyncio.create_task(wait())
    await asyncio.sleep(0)
    bell.ring()
    bell.ring()
    for _ in range(3):
        await asyncio.sleep(0)
    assert woken == 1

    bell.ring()
    for _ in range(3):
        await asyncio.sleep(0)
    assert woken == 2
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


async def test_a_ring_before_the_wait_is_not_missed_and_is_used_up() -> None:
    bell = Bell()
    bell.ring()
    assert "rung" in repr(bell)
    await asyncio.wait_for(bell.wait(), 1)
    assert "silent" in repr(bell)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(bell.wait(), 0.01)


async def test_a_ring_after_a_wait_that_was_cancelled_wakes_the_next() -> None:
    bell = Bell()
    waiting = asyncio.create_task(bell.wait())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    bell.ring()
    await asyncio.wait_for(bell.wait(), 1)
