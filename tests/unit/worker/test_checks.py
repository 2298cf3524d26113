"""Checks of providers by a worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from redis.asyncio import Redis

from voicebackend.errors import ConnectionFailed
from voicebackend.interfaces import Engine
from voicebackend.keys import Keys
from worker import checks
from worker.checks import ProviderChecks

KEYS = Keys()
HAVE = frozenset({"p", "q"})


class Vendor(Engine):
    """A provider that does as it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.error: Exception | None = None
        self.hangs = False
        self.checked = asyncio.Event()

    async def check(self) -> None:
        """Answer, or not."""
        self.checked.set()
        if self.hangs:
            await asyncio.Event().wait()
        if self.error is not None:
            raise self.error


@pytest.fixture
def vendor() -> Vendor:
    """Give a vendor that answers."""
    return Vendor()


@pytest.fixture
async def checked(redis: Redis, vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ProviderChecks]:
    """Give checks that run, quickly."""
    monkeypatch.setattr(checks, "LOOK_S", 0.02)
    monkeypatch.setattr(checks, "CHECK_S", 0.05)

    async def opened(_name: str) -> Engine:
        return vendor

    found = ProviderChecks(redis, KEYS, opened)
    running = asyncio.create_task(found.run(HAVE), name="checks")
    yield found
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


async def ask_for(redis: Redis, **every: float) -> None:
    """Ask for checks of these providers."""
    await redis.delete(KEYS.checked_providers())
    if every:
        await redis.hset(KEYS.checked_providers(), mapping=cast("Any", every))
        await redis.expire(KEYS.checked_providers(), 60)


async def until(found: ProviderChecks, holds: Any) -> None:
    """Return once the results are so."""
    async with asyncio.timeout(10):
        while not holds(found.results):  # noqa: ASYNC110 - they have no event
            await asyncio.sleep(0.01)


async def test_only_what_is_asked_for_is_checked(redis: Redis, checked: ProviderChecks) -> None:
    """Of that, what is here; and no longer than it is asked for."""
    await ask_for(redis, p=0.02, other=0.02)
    await until(checked, lambda results: results.get("p", 0) >= 2)
    assert checked.results.keys() == {"p"}
    await ask_for(redis)
    await until(checked, lambda results: results == {})


@pytest.mark.parametrize("error", [ConnectionFailed("check"), RuntimeError("a bug")])
async def test_failures_in_a_row_are_counted(
    redis: Redis, checked: ProviderChecks, vendor: Vendor, error: Exception
) -> None:
    """One that goes well ends the row. Whatever a provider raises, the worker goes on."""
    vendor.error = error
    await ask_for(redis, p=60)  # those that failed are made again soon
    await until(checked, lambda results: results.get("p", 0) <= -3)
    vendor.error = None
    await until(checked, lambda results: results["p"] == 1)


async def test_one_that_hangs_has_failed(redis: Redis, checked: ProviderChecks, vendor: Vendor) -> None:
    """After its time."""
    vendor.hangs = True
    await ask_for(redis, p=60)
    await until(checked, lambda results: results.get("p", 0) <= -2)
