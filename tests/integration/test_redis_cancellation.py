"""A task that writes to Redis ends when it is cancelled, whatever it is doing at that moment."""

from __future__ import annotations

import asyncio

import pytest
from redis.asyncio import Redis


@pytest.mark.parametrize("steps", range(12))
async def test_a_cancelled_write_ends_its_task(redis: Redis, steps: int) -> None:
    """Python 3.11's ``asyncio.wait_for``, which redis-py writes with, may swallow a cancellation; ours do not."""

    async def write_for_ever() -> None:
        while True:
            pipe = redis.pipeline(transaction=False)
            pipe.exists("nothing")
            await pipe.execute()

    await redis.ping()
    for _ in range(20):
        task = asyncio.create_task(write_for_ever())
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=2)
        assert done == {task}
    assert await redis.ping() is True
