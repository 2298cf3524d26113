"""Leadership: one at a time, the next when the first is silent, none without Redis."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from redis import Redis as SyncRedis

from control.leader import Leadership
from voicebackend._redis import connect_sync

KEY = "vb:leader:test"


@pytest.fixture
def redis_sync(redis_url: str) -> Iterator[SyncRedis]:
    """Give a client."""
    with connect_sync(redis_url) as client:
        yield client


def test_only_one_leads_and_goes_on_leading(redis_sync: SyncRedis) -> None:
    """Renewing keeps the lead, asking does not take it."""
    first, second = Leadership(redis_sync, KEY), Leadership(redis_sync, KEY)
    assert [first.renew(), second.renew(), first.renew(), second.renew()] == [True, False, True, False]
    assert (repr(first), repr(second)) == ("<Leadership [leader]>", "<Leadership [standby]>")


def test_a_leader_that_is_silent_is_replaced_and_stands_by_when_it_is_back(redis_sync: SyncRedis) -> None:
    """It pauses; it does not crash, and it does not lead beside the other."""
    first = Leadership(redis_sync, KEY, ttl_s=0.1)
    second = Leadership(redis_sync, KEY, ttl_s=60)
    assert first.renew()
    deadline = time.monotonic() + 5
    while not second.renew():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert not first.renew()


def test_a_leader_that_resigns_is_replaced_at_once_and_one_that_does_not_lead_resigns_nothing(
    redis_sync: SyncRedis,
) -> None:
    """Only the own lock is released."""
    first, second = Leadership(redis_sync, KEY), Leadership(redis_sync, KEY)
    first.renew()
    second.resign()
    assert not second.renew()
    first.resign()
    assert second.renew()


def test_a_standby_says_so_once_when_it_starts(redis_sync: SyncRedis, caplog: pytest.LogCaptureFixture) -> None:
    """Its log is all that an operator sees of it."""
    caplog.set_level("INFO")
    first, second = Leadership(redis_sync, KEY), Leadership(redis_sync, KEY)
    for leadership in (first, second, first, second):
        leadership.renew()
    assert [record.message for record in caplog.records] == ["leader: leads now", "leader: stands by"]


def test_without_redis_nobody_leads() -> None:
    """Better nothing is sent than twice."""
    with connect_sync("unix:///nowhere/redis.sock") as nowhere:
        leadership = Leadership(nowhere, KEY)
        assert not leadership.renew()
        leadership.resign()
