"""Which targets a call is offered to, by table, health, limits and hook; sessions are stood in for."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from call_world import CALL, LINE, World
from redis.asyncio import Redis

from control.http import call_choices
from control.http.incoming_calls import Taken
from control.telephony.call_counts import day_of
from control.telephony.call_register import Refused
from control.telephony.health.states import Patience, Seen, TargetHealth
from control.telephony.live_calls import LiveCalls
from control.telephony.routing.snapshot import Snapshot
from control.telephony.routing.table import RoutingTable
from control.telephony.switchboard import Switchboard
from voicebackend.breaker import BreakerState
from voicebackend.errors import ConnectionFailed, SessionLimitExceeded
from voicebackend.session import SessionRequest

pytestmark = [pytest.mark.integration, pytest.mark.timeout(30)]
PATIENCE = Patience()
ROUTES: dict[str, Any] = {
    "version": 1,
    "targets": {
        "first": {"provider": "good", "agent": "one", "max_calls": 2, "probe": {"fail": 2}},
        "second": {"provider": "slow", "agent": "two"},
        "third": {"provider": "spare", "agent": "three"},
    },
    "deny": [{"caller": ["+1900*"], "code": 603}],
    "routes": [
        {
            "id": "all",
            "match": {"called": ["+1*"]},
            "use": [{"to": [{"target": "first"}]}, {"to": [{"target": "second"}]}],
            "limits": {"concurrent": 3},
        }
    ],
}


class Hook:
    """A telephony hook that names this, and knows that."""

    def __init__(self, name: str, known: Any = None, *, hangs: bool = False) -> None:
        self.name, self.known, self.hangs = name, known or {}, hangs
        self.asked: list[tuple[str, dict[str, Any]]] = []

    async def route_call(self, phone_number: str, metadata: dict[str, Any]) -> str:
        """Name where a call goes."""
        self.asked.append((phone_number, metadata))
        if self.hangs:
            await asyncio.Event().wait()
        return self.name

    async def call_metadata(self, call_id: str) -> Any:
        """Tell what is known."""
        return self.known


@pytest.fixture
async def world(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> World:
    """Give a control process with this table; sessions have the ids that they are given."""
    world = World(redis, monkeypatch)
    world.switchboard = Switchboard({"main": LINE}, Snapshot(RoutingTable.of(ROUTES)))
    world.desk = type(world.desk)(redis, world.keys, cast("Any", SimpleNamespace(current=world.switchboard)))
    return world


def called(number: int, **changes: Any) -> Any:
    """Return a call."""
    return replace(CALL, call_id=f"CA{number}", **changes)


def targets(world: World) -> list[Any]:
    """Return which targets were asked, in order."""
    return [request.metadata["target"] for request in world.asked]


async def test_a_dead_target_is_not_asked(world: World) -> None:
    """Its calls go to the next tier; a call that was told of before keeps its answer."""
    before = await world.take(called(1))
    dead = TargetHealth(state=BreakerState.OPEN, since=time.time())
    world.desk.health.targets = {"first": dead}
    assert isinstance(await world.take(called(2)), Taken)
    assert await world.take(called(1)) == before
    assert targets(world) == ["first", "second"]


async def test_calls_that_fail_leave_a_target_out(world: World) -> None:
    """At its patience's end it is asked no more; one that is full is as well as ever."""

    async def fails(request: SessionRequest) -> str:
        if request.provider == "good":
            raise ConnectionFailed("create_session")
        return f"{request.provider}-{len(world.asked)}"

    async def full(request: SessionRequest) -> str:
        raise SessionLimitExceeded("create_session")

    world.create = full
    for number in range(3):
        assert await world.take(called(number)) == Refused(503)
    world.create = fails
    world.asked.clear()
    for number in range(10, 13):
        assert isinstance(await world.take(called(number)), Taken)
    assert targets(world) == ["first", "second", "first", "second", "second"]
    assert world.desk.health.targets["first"].why == "connection_failed"


async def test_a_half_open_target_is_tried_by_one_call(world: World) -> None:
    """The others go on to the next tier meanwhile."""
    book = world.desk.health._book
    await book.note("first", Seen.PROBED_BADLY, PATIENCE, now=time.time() - 100)
    for _ in range(2):
        await book.note("first", Seen.PROBED_WELL, PATIENCE, now=time.time())
    world.desk.health.targets = await book.read()
    await asyncio.gather(*(world.take(called(number)) for number in range(3)))
    assert sorted(targets(world)) == ["first", "second", "second"]


async def test_what_is_full_takes_no_more_until_there_is_room(world: World) -> None:
    """A target's calls go on to the next; a route's are refused, and told as such."""
    taken = [await world.take(called(number)) for number in range(5)]
    assert targets(world) == ["first", "first", "second"]
    assert taken[3:] == [Refused(503), Refused(503)]
    live = LiveCalls(world.redis, world.keys)
    [some] = [call for call in await held(live) if call.target == "second"]
    await live.end(some, {})
    assert isinstance(await world.take(called(6)), Taken)
    report = await world.desk.daily.report("default", day_of(time.time()))
    assert [(line["reason"], line["calls"]) for line in report["refusals"]] == [("route_full", 2)]
    known = await world.desk.known.find("default", "CA3")
    assert (known["outcome"], known["reason"], known["trunk"]) == ("refused", "route_full", "main")


async def held(live: LiveCalls) -> list[Any]:
    """Return the calls that count."""
    return [await live.find(session) for session in await live.sample(older_than=time.time() + 9, count=9)]


async def test_a_call_without_redis_is_not_taken(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rather than that a limit is passed."""

    async def away(_self: Any, _call: Any) -> None:
        raise ConnectionFailed("limits")

    monkeypatch.setattr(LiveCalls, "take", away)
    with pytest.raises(ConnectionFailed):
        await world.take(called(1))
    assert world.asked == []


@pytest.mark.parametrize(
    ("name", "asked"),
    [("third", ("third", "spare", "three")), ("slow", ("slow", "slow", "one")), ("second", ("second", "slow", "two"))],
)
async def test_the_hook_overrides_the_table(world: World, name: str, asked: tuple[str, str, str]) -> None:
    """By a target of the table, or a provider, which is given the route's agent; it is told what the call is."""
    world.hook = Hook(name, {"account": 7, "trunk": "forged"})
    assert isinstance(await world.take(called(1)), Taken)
    [request] = world.asked
    assert (request.metadata["target"], request.provider, request.agent) == asked
    assert (request.metadata["account"], request.metadata["trunk"]) == (7, "main")
    [(number, about)] = world.hook.asked
    assert (number, about["call_id"], about["said"]["caller"]) == (CALL.called, "CA1", CALL.caller)


async def test_where_the_hook_s_target_takes_no_call_the_table_does(world: World) -> None:
    """It is asked first, and then the route's."""
    world.hook = Hook("third")

    async def fails(request: SessionRequest) -> str:
        if request.provider == "spare":
            raise ConnectionFailed("create_session")
        return str(request.provider)

    world.create = fails
    assert isinstance(await world.take(called(1)), Taken)
    assert targets(world) == ["third", "first"]


async def test_the_hook_takes_calls_that_no_route_does(world: World) -> None:
    """But none that is denied, and no emergency."""
    world.hook = Hook("third")
    assert isinstance(await world.take(called(1, called="+493012345678")), Taken)
    assert await world.take(called(2, caller="+19005551234")) == Refused(603)
    assert await world.take(called(3, called="911")) == Refused(404)
    assert len(world.hook.asked) == 1


@pytest.mark.parametrize("hook", [Hook("nobody"), Hook(""), Hook("third", hangs=True), Hook(cast("Any", 7))])
async def test_where_the_hook_fails_the_table_decides(
    world: World, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names nobody we know, or nothing, or not in time."""
    monkeypatch.setattr(call_choices, "HOOK_S", 0.1)
    world.hook = hook
    assert isinstance(await world.take(called(1)), Taken)
    assert targets(world) == ["first"]


async def test_a_hook_that_knows_too_much_is_not_listened_to(world: World) -> None:
    """A session is told 16 KiB at most."""
    world.hook = Hook("", {"novel": "x" * 20_000})
    assert isinstance(await world.take(called(1)), Taken)
    assert "novel" not in world.asked[0].metadata
