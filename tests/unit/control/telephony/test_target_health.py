"""What probes and calls make of a target, and what is kept of that in Redis."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis

from control.sessions.workers import WorkerInfo
from control.telephony.health.health_book import HealthBook
from control.telephony.health.probe import probe
from control.telephony.health.states import TRIAL_S, Patience, Seen, TargetHealth, after
from voicebackend.breaker import BreakerState
from voicebackend.keys import Keys

PATIENCE = Patience(every_s=10, fail=3, ok=2)
CLOSED, OPEN, HALF = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
WELL, BADLY, CALL_OK, CALL_BAD = Seen.PROBED_WELL, Seen.PROBED_BADLY, Seen.CALL_WENT_WELL, Seen.CALL_FAILED
TRIAL_OK, TRIAL_BAD = Seen.TRIAL_WENT_WELL, Seen.TRIAL_FAILED


def seen(*what: Seen | float) -> TargetHealth:
    """Return what becomes of a new target; a number is seconds that pass."""
    health, now = TargetHealth(), 1000.0
    for one in what:
        if isinstance(one, Seen):
            health = after(health, one, PATIENCE, now=now, why="why")
        else:
            now += one
    return health


@pytest.mark.parametrize(
    ("what", "state"),
    [
        ([], CLOSED),
        ([WELL, CALL_OK, TRIAL_BAD], CLOSED),
        ([BADLY], OPEN),
        ([CALL_BAD, CALL_BAD], CLOSED),
        ([CALL_BAD, CALL_BAD, CALL_OK, CALL_BAD], CLOSED),
        ([CALL_BAD, CALL_BAD, WELL, CALL_BAD], OPEN),
        ([BADLY, WELL, WELL], OPEN),
        ([BADLY, 10, WELL], OPEN),
        ([BADLY, 10, WELL, WELL], HALF),
        ([BADLY, WELL, WELL, 10, WELL], HALF),
        ([BADLY, 10, WELL, BADLY, WELL], OPEN),
        ([BADLY, 10, WELL, WELL, TRIAL_OK], CLOSED),
        ([BADLY, 10, WELL, WELL, TRIAL_BAD], OPEN),
        ([BADLY, 10, WELL, WELL, BADLY], OPEN),
        ([BADLY, 10, WELL, WELL, CALL_BAD, CALL_OK, WELL], HALF),
        ([BADLY, 10, WELL, WELL, TRIAL_BAD, WELL, WELL], OPEN),
        ([CALL_BAD, CALL_BAD, CALL_BAD, 10, WELL, WELL, TRIAL_OK, CALL_BAD, CALL_BAD], CLOSED),
    ],
)
def test_probes_and_calls_move_a_target(what: list[Seen | float], state: BreakerState) -> None:
    """By one table; rows are counted from the start in every state."""
    assert seen(*what).state is state


def test_a_target_that_is_left_out_says_since_when_and_why() -> None:
    """And who is back still tells of the last time."""
    out = seen(5, BADLY)
    assert (out.since, out.why, out.takes_calls(1e9)) == (1005.0, "why", False)
    assert seen(5, BADLY, 10, WELL, WELL, TRIAL_OK).why == "why"


def test_a_half_open_target_takes_one_call_at_a_time() -> None:
    """If nobody hears of that again, another may try."""
    half = seen(BADLY, 10, WELL, WELL)
    tried = half.on_trial("s", 100.0)
    assert half.takes_calls(100.0)
    assert not tried.takes_calls(100.0 + TRIAL_S - 1)
    assert tried.takes_calls(100.0 + TRIAL_S)


@given(st.lists(st.one_of(st.sampled_from(Seen), st.floats(0, 30)), max_size=60))
def test_whatever_is_seen_a_target_can_die_and_live_again(what: list[Seen | float]) -> None:
    """From any state, a bad probe leaves it out; good ones and a good trial bring it back."""
    assert seen(*what, BADLY).state is OPEN
    assert seen(*what, BADLY, 10.5, WELL, WELL, TRIAL_OK).state is CLOSED  # sums are rounded


def worker(**told: Any) -> WorkerInfo:
    """Return what a worker announces."""
    capabilities = {"capabilities": {"transports": ["telephony", "websocket"]}}
    return WorkerInfo(**{"id": "w", "providers": {"p": capabilities}, **told})


@pytest.mark.parametrize(
    ("workers", "why"),
    [
        ([], "no_worker"),
        ([worker(providers={"q": {}})], "no_worker"),
        ([worker(draining=True)], "no_worker"),
        ([worker(providers={"p": {"capabilities": {"transports": ["webrtc"]}}})], "no_telephony"),
        ([worker(providers={"p": {}})], "no_telephony"),
        ([worker()], ""),
        ([worker(checks={"p": -2, "q": -9})], ""),
        ([worker(checks={"p": -3})], "check_failed"),
        ([worker(checks={"p": -3}), worker(checks={"p": 1})], ""),
        ([worker(checks={"p": -3}), worker(draining=True)], "check_failed"),
        ([worker(admitting=False)], ""),
    ],
)
def test_what_workers_announce_says_whether_a_target_is_dead(workers: list[WorkerInfo], why: str) -> None:
    """One worker that could take its calls is enough; a busy one could later."""
    found = probe("p", workers, fail=3)
    assert (found.why, found.is_good) == (why, not why)


@pytest.fixture
def book(redis: Redis) -> HealthBook:
    """Give the book."""
    return HealthBook(redis, Keys())


async def test_two_probes_at_once_count_as_one(book: HealthBook) -> None:
    """Whoever runs the task twice."""
    await book.note_probe("t", good=False, patience=PATIENCE, now=100, apart_s=1, why="no_worker")
    probes = (book.note_probe("t", good=True, patience=PATIENCE, now=120.1, apart_s=1) for _ in range(8))
    assert {health.good for health in await asyncio.gather(*probes)} == {1}
    assert (await book.note_probe("t", good=True, patience=PATIENCE, now=122, apart_s=1)).state is HALF


async def test_one_of_many_calls_is_the_trial(book: HealthBook) -> None:
    """However many processes ask at once; its outcome decides, not that of calls from before."""
    await book.note("t", BADLY, PATIENCE, now=100)
    for now in (110, 112):
        await book.note("t", WELL, PATIENCE, now=now)
    asked = await asyncio.gather(*(book.claim_trial("t", f"s{number}", now=113) for number in range(6)))
    assert sum(asked) == 1
    trial = (await book.read())["t"].trial
    assert trial == f"s{asked.index(True)}"
    assert (await book.note_call("t", "older", good=False, patience=PATIENCE, now=114)).state is HALF
    assert (await book.note_call("t", trial, good=True, patience=PATIENCE, now=115)).state is CLOSED


async def test_a_trial_that_told_nothing_makes_room(book: HealthBook) -> None:
    """The target was full."""
    await book.note("t", BADLY, PATIENCE, now=100)
    for now in (110, 112):
        await book.note("t", WELL, PATIENCE, now=now)
    assert await book.claim_trial("t", "a", now=113)
    await book.drop_trial("t", "b")
    assert not await book.claim_trial("t", "c", now=113)
    await book.drop_trial("t", "a")
    assert await book.claim_trial("t", "c", now=113)


async def test_many_failures_at_once_are_all_counted(book: HealthBook) -> None:
    """No change is lost to another."""
    patience = Patience(every_s=10, fail=9, ok=2)
    await asyncio.gather(*(book.note("t", CALL_BAD, patience, now=100) for _ in range(8)))
    assert (await book.read())["t"].failed == 8


async def test_what_cannot_be_read_is_as_good_as_new(book: HealthBook, redis: Redis) -> None:
    """And targets that are in no table are forgotten."""
    key = Keys().targets()
    for name, value in {"a": b"{", "b": json.dumps({"state": "odd"}), "c": b"[]", "d": b'{"more": 1}'}.items():
        await redis.hset(key, name, value)
    await redis.expire(key, 60)
    assert set((await book.read()).values()) == {TargetHealth()}
    await book.note("a", BADLY, PATIENCE, now=1)
    await book.forget({"a", "b"})
    assert {name: health.state for name, health in (await book.read()).items()} == {"a": OPEN, "b": CLOSED}
