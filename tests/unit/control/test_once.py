"""``turn.once``: at most once over all attempts at a turn, and only when the caller has finished it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from redis import Redis

from control.agents.once import OnceInTurn
from control.agents.turn_state import Attempt
from voicebackend._redis import connect_sync
from voicebackend.errors import AgentError
from voicebackend.keys import Keys

TURN = Keys().turn("5" * 32, 1)
FIRST, SECOND = Attempt(key=TURN, number=1), Attempt(key=TURN, number=2)


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    """Give a client for threads."""
    with connect_sync(redis_url) as client:
        yield client


@pytest.fixture
def once(redis: Redis) -> OnceInTurn:
    """Give the ``once`` of a committed attempt."""
    note(redis, current=1, committed=1)
    return OnceInTurn(redis, FIRST, wait_s=5)


def note(redis: Redis, **fields: object) -> None:
    """Write into the turn's hash."""
    redis.hset(TURN, mapping={name: str(value) for name, value in fields.items()})
    redis.expire(TURN, 60)


def in_thread(once: OnceInTurn, function: Callable[[], Any], results: list[Any]) -> threading.Thread:
    """Call ``once`` in a thread of its own; its result, or what it raised, goes into the list."""

    def run() -> None:
        try:
            results.append(once("book", function))
        except AgentError as error:
            results.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def test_a_side_effect_waits_until_the_caller_has_finished(redis: Redis) -> None:
    """It happens after the commit, once."""
    note(redis, current=1)
    booked: list[str] = []
    results: list[Any] = []
    thread = in_thread(OnceInTurn(redis, FIRST, wait_s=10), lambda: booked.append("booked"), results)
    thread.join(0.1)
    assert thread.is_alive()
    assert booked == []
    note(redis, committed=1)
    thread.join(5)
    assert booked == ["booked"]
    assert results == [None]


@pytest.mark.parametrize("dropped", [{"cancelled": 1}, {"current": 2}, {"current": 2, "committed": 2}])
def test_a_dropped_turn_never_has_its_side_effect(redis: Redis, dropped: dict[str, int]) -> None:
    """Cancelled while it waits, or another attempt took its place: the agent hears why."""
    note(redis, current=1)
    booked: list[str] = []
    results: list[Any] = []
    thread = in_thread(OnceInTurn(redis, FIRST, wait_s=10), lambda: booked.append("booked"), results)
    note(redis, **dropped)
    thread.join(5)
    assert not thread.is_alive()
    assert "the caller went on" in str(results[0])
    note(redis, committed=1)
    with pytest.raises(AgentError, match="the caller went on"):
        OnceInTurn(redis, FIRST, wait_s=10)("book", lambda: booked.append("booked"))
    assert booked == []


def test_a_turn_that_nobody_commits_has_no_side_effect(redis: Redis) -> None:
    """Its worker died: the wait is bounded."""
    note(redis, current=1)
    with pytest.raises(AgentError, match="nobody has said"):
        OnceInTurn(redis, FIRST, wait_s=0.1)("book", lambda: pytest.fail("it happened"))


def test_commits_that_race_with_side_effects_let_each_happen_once(redis: Redis) -> None:
    """Many threads of one attempt, one key, one commit."""
    note(redis, current=1)
    booked: list[str] = []
    results: list[Any] = []
    once = OnceInTurn(redis, FIRST, wait_s=10)
    threads = [in_thread(once, lambda: booked.append("booked"), results) for _ in range(8)]
    note(redis, committed=1)
    for thread in threads:
        thread.join(5)
    assert booked == ["booked"]
    assert results == [None] * 8


def test_the_second_attempt_gets_what_the_first_did(once: OnceInTurn, redis: Redis) -> None:
    """The first was lost after its side effect."""
    assert once("book", lambda: "number 1") == "number 1"
    note(redis, current=2, committed=2)
    assert OnceInTurn(redis, SECOND, wait_s=5)("book", lambda: "number 2") == "number 1"


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
    begun, go_on = threading.Event(), threading.Event()
    results: list[Any] = []

    def slowly() -> str:
        begun.set()
        go_on.wait(5)
        return "first"

    threads = [in_thread(once, slowly, results)]
    begun.wait(5)
    threads.append(in_thread(once, lambda: "second", results))
    go_on.set()
    for thread in threads:
        thread.join(5)
    assert results == ["first", "first"]


def test_what_a_lost_attempt_began_is_not_begun_again(redis: Redis) -> None:
    """Whether it happened is unknown, and the agent is told so."""
    note(redis, current=2, committed=2, **{"once:book": ""})
    with pytest.raises(AgentError, match="unknown"):
        OnceInTurn(redis, SECOND, wait_s=0.1)("book", lambda: "booked twice")


async def test_on_the_event_loop_nothing_waits(redis: Redis) -> None:
    """An async agent that calls it directly must not stop all the others: it hears how to call it."""
    note(redis, current=1)
    once, loop = OnceInTurn(redis, FIRST, wait_s=30), asyncio.get_running_loop()
    started = loop.time()
    with pytest.raises(AgentError, match="to_thread"):
        once("book", lambda: None)
    assert loop.time() - started < 10
    note(redis, committed=1)
    assert once("book", lambda: "booked") == "booked"


async def test_an_async_agent_waits_in_a_thread(redis: Redis) -> None:
    """The event loop goes on meanwhile."""
    note(redis, current=1)
    once = OnceInTurn(redis, FIRST, wait_s=10)
    waiting = asyncio.create_task(asyncio.to_thread(once, "book", lambda: "booked"), name="once")
    for _ in range(10):
        await asyncio.sleep(0.005)
    assert not waiting.done()
    note(redis, committed=1)
    assert await waiting == "booked"


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
