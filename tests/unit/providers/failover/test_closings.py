"""Streams that are given up are closed, whoever waits for that."""

from __future__ import annotations

import asyncio

from providers.failover.closings import Closings


async def test_who_stops_waiting_stops_no_closing() -> None:
    """A session whose time to close is over leaves a vendor's call to be hung up beside it."""
    closings, go_on, closed = Closings(), asyncio.Event(), asyncio.Event()

    async def close() -> None:
        await go_on.wait()
        closed.set()

    closings.begin(close(), "slow")
    waiting = asyncio.create_task(closings.wait(), name="waiting")
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    go_on.set()
    await closings.wait()
    assert closed.is_set()
