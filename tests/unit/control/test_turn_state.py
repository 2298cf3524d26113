"""A turn's attempts: one delivery answers, the cancelled do not, and side effects happen once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest
from redis import Redis as SyncRedis
from redis.asyncio import Redis

from control.agents.turn_state import Claim, OnceInTurn, claim, is_cancelled
from voicebackend._redis import connect_sync
from voicebackend.errors import AgentError
from voicebackend.streams import Keys

KEYS = Keys()
SESSION = "5" * 32
TURN = KEYS.turn(SESSION, 1)


@pytest.fixture
def sync_redis(redis_url: str) -> Iterator[SyncRedis]:
    """Give a client for threads."""
    with connect_sync(redis_url) as client:
        yield client


@pytest.fixture
def once(sync_redis: SyncRedis) -> OnceInTurn:
    """Give a turn's ``once`` that waits no longer than a test may."""
    return OnceInTurn(sync_redis, TURN, wait_s=0.3)


async def publish(redis: Redis, attempt: int) -> None:
    """Note an attempt as the worker does before it publishes."""
    await redis.hset(TURN, "current", str(attempt))
    await redis.expire(TURN, 60)


async def test_an_attempt_is_claimed_by_one_delivery_only(redis: Redis) -> None:
    """Celery may deliver a task twice."""
    await publish(redis, 1)
    claims = [await claim(redis, KEYS, SESSION, 1, 1) for _ in range(2)]
    assert claims == [Claim.WON, Claim.CLAIMED]


async def test_the_next_attempt_may_be_claimed_after_the_last(redis: Redis) -> None:
    """The worker published again because the first got lost; the first is stale then."""
    await publish(redis, 1)
    await claim(redis, KEYS, SESSION, 1, 1)
    await publish(redis, 2)
    assert await claim(redis, KEYS, SESSION, 1, 1) is Claim.STALE
    assert await claim(redis, KEYS, SESSION, 1, 2) is Claim.WON


async def test_an_attempt_that_was_never_published_or_was_cancelled_is_stale(redis: Redis) -> None:
    """No agent runs for a turn that nobody waits for."""
    assert await claim(redis, KEYS, SESSION, 1, 1) is Claim.STALE
    await publish(redis, 1)
    await redis.hset(TURN, "cancelled", "1")
    assert await claim(redis, KEYS, SESSION, 1, 1) is Claim.STALE


async def test_cancelling_an_attempt_leaves_later_ones_wanted(redis: Redis) -> None:
    """The field holds the highest cancelled attempt."""
    assert not await is_cancelled(redis, KEYS, SESSION, 1, 1)
    await publish(redis, 2)
    await redis.hset(TURN, "cancelled", "1")
    assert await is_cancelled(redis, KEYS, SESSION, 1, 1)
    assert not await is_cancelled(redis, KEYS, SESSION, 1, 2)


def test_a_side_effect_happens_once_and_its_result_comes_back_each_time(once: OnceInTurn) -> None:
    """The second attempt gets what the first got, None included."""
    happened: list[str] = []

    def book() -> dict[str, str]:
        happened.append("booked")
        return {"at": "10:30"}

    assert [once("book", book) for _ in range(2)] == [{"at": "10:30"}] * 2
    assert happened == ["booked"]
    assert [once("nothing", lambda: None) for _ in range(2)] == [None, None]


def test_a_side_effect_that_raised_may_be_tried_again(once: OnceInTurn) -> None:
    """It did not happen, as far as its function says."""

    def fail() -> None:
        raise LookupError

    with pytest.raises(LookupError):
        once("book", fail)
    assert once("book", lambda: "booked") == "booked"


def test_concurrent_attempts_run_a_side_effect_once(once: OnceInTurn) -> None:
    """The one that comes later waits for the result."""
    begun, go_on, results = threading.Event(), threading.Event(), []

    def slowly() -> str:
        begun.set()
        go_on.wait(5)
        return "first"

    threads = [threading.Thread(target=lambda: results.append(once("book", slowly)))]
    threads[0].start()
    begun.wait(5)
    threads.append(threading.Thread(target=lambda: results.append(once("book", lambda: "second"))))
    threads[1].start()
    go_on.set()
    for thread in threads:
        thread.join(5)
    assert results == ["first", "first"]


def test_what_a_lost_attempt_began_is_not_begun_again(once: OnceInTurn, sync_redis: SyncRedis) -> None:
    """Whether it happened is unknown, and the agent is told so."""
    sync_redis.hset(TURN, "once:book", "")
    sync_redis.expire(TURN, 60)
    with pytest.raises(AgentError, match="unknown"):
        once("book", lambda: "booked twice")


async def test_on_the_event_loop_nothing_waits(redis: Redis, once: OnceInTurn) -> None:
    """An async agent that calls it directly must not stop all the others."""
    await redis.hset(TURN, "once:book", "")
    await redis.expire(TURN, 60)
    started = asyncio.get_running_loop().time()
    with pytest.raises(AgentError):
        once("book", lambda: None)
    assert asyncio.get_running_loop().time() - started < 0.25


def test_a_result_that_is_not_json_is_an_error_each_time_and_not_a_second_try(once: OnceInTurn) -> None:
    """The side effect has happened; only its result cannot be kept."""
    happened: list[object] = []

    def book() -> object:
        happened.append(object())
        return happened[0]

    for _ in range(2):
        with pytest.raises(AgentError, match="JSON"):
            once("book", book)
    assert len(happened) == 1
