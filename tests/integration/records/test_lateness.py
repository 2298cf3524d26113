"""That something is late is told by control, whether anybody sweeps or not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from redis.asyncio import Redis

from control.records.entry import Entry
from control.records.index import Begun, Index
from control.records.lateness import tell_lateness
from voicebackend import telemetry
from voicebackend.errors import ConnectionFailed
from voicebackend.keys import Keys

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]


class Gauge:
    """Takes values."""

    def __init__(self) -> None:
        self.values: asyncio.Queue[float] = asyncio.Queue()

    def set(self, value: float) -> None:
        """Take a value."""
        self.values.put_nowait(value)


@pytest.fixture
def gauge(monkeypatch: pytest.MonkeyPatch) -> Gauge:
    """Give the gauge of what is late."""
    found = Gauge()
    monkeypatch.setattr(telemetry, "records_late_seconds", found)
    return found


@contextmanager
def telling(index: Index | None) -> Iterator[None]:
    """Have it told, often."""
    task = asyncio.create_task(tell_lateness(index, every_s=0.01), name="lateness")
    try:
        yield
    finally:
        task.cancel()


async def test_what_is_due_and_there_is_told_though_nobody_sweeps(gauge: Gauge, redis: Redis) -> None:
    """By how long."""
    index = Index(redis, Keys())
    entry = Entry(id="e", path="t/x", tenant="t", data_class="audio", session="s", due=time.time() - 5_000)
    assert await index.begin(entry) is Begun.BEGUN
    with telling(index):
        assert await gauge.values.get() >= 5_000


async def test_a_redis_that_is_away_for_a_while_ends_nothing(
    gauge: Gauge, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked again."""
    index = Index(redis, Keys())
    late_s, asked = index.late_s, iter([True])

    async def away_at_first() -> float:
        if next(asked, False):
            raise ConnectionFailed("records")
        return await late_s()

    monkeypatch.setattr(index, "late_s", away_at_first)
    with telling(index):
        assert await gauge.values.get() == 0


async def test_a_deployment_that_keeps_nothing_is_never_late(gauge: Gauge) -> None:
    """It says so: that nothing is said at all is an alarm."""
    with telling(None):
        assert await gauge.values.get() == 0
