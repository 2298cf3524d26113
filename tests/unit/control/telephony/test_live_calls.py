"""Limits that calls count against, what their end gives back, and what is counted of a day."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis
from task_harness import a_record

from control.context import TaskContext
from control.tasks.call_reports import seal_reports
from control.tasks.ending import end_session
from control.tasks.repairs.calls import GRACE_S, repair_calls
from control.telephony import call_counts
from control.telephony.daily_calls import MAX_FIELDS, DailyCalls
from control.telephony.health.health_book import HealthBook
from control.telephony.health.states import Patience
from control.telephony.known_calls import KnownCalls
from control.telephony.live_calls import Full, LiveCall, LiveCalls
from voicebackend.breaker import BreakerState
from voicebackend.keys import Keys
from voicebackend.session import SessionState

DAY = "2026-11-23"
NOON = 1795435200.0
"""On that day."""


def call(number: int = 1, **changes: Any) -> LiveCall:
    """Return a call that is about to get a session."""
    values: dict[str, Any] = {
        "session": f"{number:032x}",
        "tenant": "default",
        "call_id": f"CA{number}",
        "trunk": "main",
        "route": "r",
        "target": "t",
        "day": DAY,
        "limits": {"route": 3, "target": 2},
        "patience": Patience(every_s=10, fail=1, ok=1),
    }
    return LiveCall(**{**values, **changes})


@pytest.fixture
def live(redis: Redis) -> LiveCalls:
    """Give the calls that are up."""
    return LiveCalls(redis, Keys())


async def test_a_call_whose_end_nobody_saw_counts_for_a_day_at_most(live: LiveCalls, redis: Redis) -> None:
    """Also where others keep the limit's set alive."""
    for number in (1, 2):
        assert await live.take(call(number)) is None
    for key in [key async for key in redis.scan_iter() if await redis.type(key) == b"zset"]:
        held: Any = await redis.zrange(key, 0, -1, withscores=True)
        await redis.zadd(key, {member: score - 3 * 86_400 for member, score in held})
    assert await live.take(call(3)) is None


async def test_no_limit_is_passed_however_many_ask_at_once(live: LiveCalls) -> None:
    """What is full is told, and nothing is counted then."""
    answers = await asyncio.gather(*(live.take(call(number)) for number in range(8)))
    assert sorted(map(str, answers)) == ["None"] * 2 + ["target"] * 6
    answers = await asyncio.gather(*(live.take(call(number, target="u")) for number in range(10, 18)))
    assert sorted(map(str, answers)) == ["None"] + ["route"] * 7


async def test_an_end_gives_back_and_counts_once(live: LiveCalls, redis: Redis) -> None:
    """However often it is told, and by how many."""
    for number in (1, 2):
        assert await live.take(call(number)) is None
    assert await live.take(call(3)) is Full.TARGET
    counted = call_counts.ended("main", "r", "t", outcome="ended", seconds=90)
    ends = await asyncio.gather(*(live.end(call(1), counted) for _ in range(5)))
    assert sum(ends) == 1
    assert await live.take(call(3)) is None
    report = await DailyCalls(redis, Keys()).report("default", DAY)
    assert (report["taken"][0]["ended"], report["minutes"]) == (1, 1.5)


async def test_calls_without_limits_are_known_to_be_up(live: LiveCalls) -> None:
    """So that their end is counted too."""
    assert await live.take(call(limits={})) is None
    assert await live.find(call().session) == call(limits={})
    assert await live.sample(older_than=time.time() + 1, count=10) == [call().session]
    assert await live.sample(older_than=time.time() - 10, count=10) == []


@pytest.mark.parametrize(("cps", "calls"), [(3, 3), (0.5, 1), (1.9, 1)])
async def test_calls_a_second_are_counted_exactly(live: LiveCalls, cps: float, calls: int) -> None:
    """In any window; fractions are calls in several seconds."""
    answers = await asyncio.gather(*(live.starts("r", str(number), cps) for number in range(10)))
    assert sum(answers) == calls
    assert await live.starts("other", "c", cps)


async def test_room_comes_back_when_the_second_is_over(live: LiveCalls) -> None:
    """Twenty a second: the first of these are forgotten after one."""
    assert all([await live.starts("r", str(number), 20) for number in range(20)])
    assert not await live.starts("r", "more", 20)
    async with asyncio.timeout(10):
        while not await live.starts("r", "later", 20):  # noqa: ASYNC110 - time passes in Redis
            await asyncio.sleep(0.05)


async def a_session(shared: TaskContext, number: int, **changes: Any) -> LiveCall:
    """Write the record of a call's session, and count the call."""
    held = call(number, **changes)
    await shared.store.create(a_record(number, state=SessionState.STARTING, lane=1))
    assert await LiveCalls(shared.state, shared.keys).take(held) is None
    return held


@pytest.mark.parametrize(
    ("state", "reason", "outcome", "target"),
    [
        (SessionState.ENDED, "hangup", "ended", BreakerState.CLOSED),
        (SessionState.FAILED, "connection_failed", "failed", BreakerState.OPEN),
        (SessionState.FAILED, "agent_error", "failed", BreakerState.CLOSED),
        (SessionState.FAILED, "pipeline_error", "failed", BreakerState.CLOSED),
    ],
)
async def test_the_end_of_a_session_is_the_end_of_its_call(
    shared: TaskContext, state: SessionState, reason: str, outcome: str, target: BreakerState
) -> None:
    """Told twice and at once, it counts once; providers' errors make the target dead, an agent's do not."""
    held = await a_session(shared, 1)
    await KnownCalls(shared.state, shared.keys).note("default", "CA1", {"outcome": "taken"})
    await asyncio.gather(*(end_session(shared, held.session, state, reason) for _ in range(3)), return_exceptions=True)
    await end_session(shared, held.session, state, reason)
    live = LiveCalls(shared.state, shared.keys)
    assert await live.find(held.session) is None
    assert [await live.take(call(number)) for number in (2, 3, 4)] == [None, None, Full.TARGET]
    known = await KnownCalls(shared.state, shared.keys).find("default", "CA1")
    assert (known["outcome"], known["reason"]) == (outcome, reason)
    [line] = (await DailyCalls(shared.state, shared.keys).report("default", DAY))["taken"]
    assert line[outcome] == 1
    health = (await HealthBook(shared.state, shared.keys).read()).get("t")
    assert (health.state if health else BreakerState.CLOSED) is target


async def test_a_session_that_came_too_late_counts_only_while_it_is_there(shared: TaskContext) -> None:
    """Its call went elsewhere."""
    held, live = await a_session(shared, 1), LiveCalls(shared.state, shared.keys)
    await live.went_elsewhere(held)
    assert await live.find(held.session) == replace(held, given=False)
    await end_session(shared, held.session, SessionState.FAILED, "connection_failed")
    assert await live.find(held.session) is None
    assert (await DailyCalls(shared.state, shared.keys).report("default", DAY))["taken"] == []
    assert await HealthBook(shared.state, shared.keys).read() == {}


async def test_the_reconciler_ends_calls_whose_sessions_are_over_or_never_came(
    shared: TaskContext, caplog: pytest.LogCaptureFixture
) -> None:
    """Not before their time, and not those that go on; twice at once does no harm."""
    caplog.set_level(logging.WARNING)
    live = LiveCalls(shared.state, shared.keys)
    over, goes_on = await a_session(shared, 1, limits={}), await a_session(shared, 2, limits={})
    await shared.store.move(over.session, SessionState.ENDED, reason="hangup")
    assert await live.take(call(3, limits={"target": 1})) is None
    await repair_calls(shared, time.time())
    assert await live.find(over.session) is not None
    later = time.time() + GRACE_S + 1
    await asyncio.gather(repair_calls(shared, later), repair_calls(shared, later))
    assert await live.find(over.session) is None
    assert await live.find(goes_on.session) == goes_on
    assert await live.take(call(4, limits={"target": 1})) is None
    assert "call_ended" in {said.__dict__.get("repair") for said in caplog.records}


async def test_a_day_is_reported_once_and_stays_as_it_was(shared: TaskContext) -> None:
    """Two runs at once write one report; what is counted late changes it no more."""
    daily = DailyCalls(shared.state, shared.keys)
    await daily.count("default", DAY, call_counts.taken("main", "r", "t", setup_s=0.12))
    await daily.count("default", DAY, call_counts.refused("main", "", code=404, reason="no_route"))
    await daily.count("acme", DAY, call_counts.taken("other", "r", "t", setup_s=3))
    next_day = NOON + 24 * 3600
    await seal_reports(shared, NOON)
    so_far = await daily.report("default", DAY)
    await daily.count("default", DAY, call_counts.ended("main", "r", "t", outcome="ended", seconds=30))
    await asyncio.gather(seal_reports(shared, next_day), seal_reports(shared, next_day))
    sealed = await daily.report("default", DAY)
    assert (so_far["minutes"], sealed["minutes"]) == (0, 0.5)
    await daily.count("default", DAY, call_counts.taken("main", "r", "t", setup_s=1))
    await seal_reports(shared, next_day)
    assert await daily.report("default", DAY) == sealed
    assert (sealed["calls"], sealed["refused"], sealed["setup_p95_ms"]) == (1, 1, 150)
    assert (await daily.report("acme", DAY))["calls"] == 1


async def test_a_day_counts_only_so_many_things(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there already goes on to be counted."""
    monkeypatch.setattr("control.telephony.daily_calls.MAX_FIELDS", 2)
    daily = DailyCalls(redis, Keys())
    for code in (404, 503, 603, 404):
        await daily.count("default", DAY, call_counts.refused("main", "r", code=code, reason="x"))
    refusals = (await daily.report("default", DAY))["refusals"]
    assert {line["code"]: line["calls"] for line in refusals} == {404: 2, 503: 1}
    assert MAX_FIELDS > 1000


NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,8}", fullmatch=True)


@given(st.lists(st.tuples(NAMES, NAMES, NAMES, st.floats(0, 60), st.booleans()), max_size=30))
def test_every_call_is_in_the_report(calls: list[tuple[str, str, str, float, bool]]) -> None:
    """Taken or refused, once."""
    counts: dict[str, int] = {}
    for trunk, route, target, setup_s, is_taken in calls:
        counted = (
            call_counts.taken(trunk, route, target, setup_s=setup_s)
            if is_taken
            else call_counts.refused(trunk, route, code=503, reason="no_target")
        )
        for name, number in counted.items():
            counts[name] = counts.get(name, 0) + number
    report = call_counts.report(DAY, counts)
    assert (report["calls"], report["refused"]) == (sum(one[4] for one in calls), sum(not one[4] for one in calls))
    assert report == call_counts.report(DAY, dict(reversed(counts.items())))
