"""What becomes of a call that is told of again, late, or at the wrong moment; sessions are stood in for."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from call_world import LINE, World
from redis.asyncio import Redis

from control.http import call_placing
from control.http.incoming_calls import Taken
from control.telephony import call_register
from control.telephony.call_register import BeingTaken, CallRegister, Claim, Given, Refused
from control.telephony.carriers.carrier import Incoming
from control.telephony.routing.snapshot import Snapshot
from control.telephony.routing.table import RoutingTable
from control.telephony.switchboard import Switchboard
from voicebackend.errors import (
    InvalidConfig,
    SessionAlreadyActive,
    SessionLimitExceeded,
    SessionNotActive,
)
from voicebackend.session import SessionRequest, SessionState

pytestmark = [pytest.mark.integration, pytest.mark.timeout(30)]


@pytest.fixture
async def world(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> World:
    """Give a control process."""
    return World(redis, monkeypatch)


async def test_a_target_that_takes_too_long_is_left_and_its_late_session_ended(world: World) -> None:
    """The next one takes the call."""
    release = asyncio.Event()

    async def slow(request: SessionRequest) -> str:
        if request.provider == "slow":
            await release.wait()
        return str(request.provider)

    world.create = slow
    assert await world.take() == Taken("good", "default")
    assert world.ended == []
    release.set()
    async with asyncio.timeout(5):
        await world.publisher.told.wait()
    assert world.ended == ["slow"]


async def test_a_call_has_no_more_time_than_its_claim(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its targets may take."""
    monkeypatch.setattr(call_placing, "TRY_S", 0.1)

    async def never(_request: SessionRequest) -> str:
        await asyncio.Event().wait()
        raise AssertionError

    world.create = never
    assert await world.take() == Refused(503)
    assert await world.redis.ttl(world.keys.call("main", "CA1")) <= call_register.BUSY_S  # there may be room soon
    await world.background.aclose()


@pytest.mark.parametrize(
    ("caller", "user"),
    [("sip:+12025550111@10.0.0.1", "+12025550111"), ("Restricted", "anonymous"), ("Anna <b>", "anonymous")],
)
async def test_a_caller_is_a_number_or_nobody(world: World, caller: str, user: str) -> None:
    """What signalling says stays in ``said``."""
    await world.take(Incoming(call_id="CA1", called="+14155559999", caller=caller))
    assert world.asked[0].user_id == user
    assert cast("Any", world.asked[0].metadata["said"])["caller"] == caller


async def test_a_webhook_gets_no_token_once_the_caller_is_there(world: World, redis: Redis) -> None:
    """Not even when the caller is gone for a moment; a captured webhook is worth nothing."""
    first = await world.take()
    assert isinstance(first, Taken)
    assert await world.take() == first
    world.states[first.session] = SessionState.ACTIVE
    with pytest.raises(SessionAlreadyActive):
        await world.take()
    world.states[first.session] = SessionState.READY
    await redis.set(world.keys.resume(first.session), "r", ex=60)
    with pytest.raises(SessionAlreadyActive):
        await world.take()
    world.states[first.session] = SessionState.ENDED
    with pytest.raises(SessionNotActive):
        await world.take()
    del world.states[first.session]
    with pytest.raises(SessionNotActive):
        await world.take()
    assert len(world.asked) == 1


async def test_a_refused_call_stays_refused(world: World) -> None:
    """Also where its number would be taken now; the table is not asked again."""
    denied = Incoming(call_id="CA1", called="+14155559999", caller="+19005551234")
    assert await world.take(denied) == Refused(603)
    assert await world.take() == Refused(603)
    assert world.asked == []


async def test_a_try_that_fails_does_not_hold_up_the_next(world: World) -> None:
    """An error of our settings is told, and the call is free again."""

    async def wrong(_request: SessionRequest) -> str:
        raise InvalidConfig("create_session")

    quick, world.create = world.create, wrong
    with pytest.raises(InvalidConfig):
        await world.take()
    world.create = quick
    assert isinstance(await world.take(), Taken)


async def test_who_waits_in_vain_is_told_to_ask_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is not refused: the call may be taken yet."""
    monkeypatch.setattr(call_register, "WAIT_S", 0.1)
    register = CallRegister(world.redis, world.keys, trunk="main", call_id="CA1")
    claim = await register.claim()
    assert isinstance(claim, Claim)
    with pytest.raises(SessionLimitExceeded) as caught:
        await world.take()
    assert caught.value.retry_after
    await register.drop(claim)
    assert isinstance(await world.take(), Taken)


async def test_a_claim_that_lapsed_changes_nothing(world: World) -> None:
    """Another try has the call now: the late one's session is ended."""
    register = CallRegister(world.redis, world.keys, trunk="main", call_id="CA1")
    late = await register.claim()
    assert isinstance(late, Claim)
    await world.redis.delete(world.keys.call("main", "CA1"))
    first = await world.take()
    assert isinstance(first, Taken)
    assert not await register.settle(late, Given("late"))
    await register.drop(late)
    assert await world.take() == first


async def test_a_session_that_comes_when_the_claim_has_lapsed_is_ended(world: World) -> None:
    """Nobody would ever know of it."""

    async def lapse(request: SessionRequest) -> str:
        await world.redis.delete(world.keys.call("main", "CA1"))
        return str(request.provider)

    world.create = lapse
    with pytest.raises(SessionLimitExceeded):
        await world.take()
    assert world.ended == ["slow"]


class Slow:
    """Sessions that come when the test says so, or fail."""

    def __init__(self, world: World) -> None:
        self.asked, self.release = asyncio.Event(), asyncio.Event()
        self.error: Exception | None = None
        world.create = self._create

    async def _create(self, request: SessionRequest) -> str:
        self.asked.set()
        await self.release.wait()
        if self.error is not None:
            raise self.error
        return str(request.provider)


ONLY = {
    "version": 1,
    "targets": {"good": {"provider": "good"}},
    "routes": [{"id": "all", "use": [{"to": [{"target": "good"}]}]}],
}


@pytest.fixture
def slow(world: World) -> Slow:
    """Give the process one target, which takes its time."""
    world.switchboard = Switchboard({"main": LINE}, Snapshot(RoutingTable.of(ONLY)))
    return Slow(world)


async def answer_of(world: World) -> Taken | Refused:
    """Return what becomes of a call that is asked for until it is not being taken any more."""
    async with asyncio.timeout(10):
        while True:
            try:
                return await world.take(within_s=0.05)
            except BeingTaken:
                continue


async def test_what_is_not_done_in_time_goes_on_and_is_told_next_time(world: World, slow: Slow) -> None:
    """However many ask meanwhile, the call is placed once."""
    for _ in range(3):
        with pytest.raises(BeingTaken):
            await world.take(within_s=0.05)
    slow.release.set()
    assert await answer_of(world) == Taken("good", "default")
    assert len(world.asked) == 1
    await world.background.aclose()


async def test_a_call_that_fails_when_nobody_hears_of_it_is_refused(world: World, slow: Slow) -> None:
    """Else it would be placed again and again, a second of the caller's each; where one hears of it, others may try."""
    slow.error = InvalidConfig("create_session")
    with pytest.raises(BeingTaken):
        await world.take(within_s=0.05)
    slow.release.set()
    assert await answer_of(world) == Refused(503)
    assert await world.redis.ttl(world.keys.call("main", "CA1")) <= call_register.BUSY_S
    await world.redis.delete(world.keys.call("main", "CA1"))
    with pytest.raises(InvalidConfig):
        await world.take(within_s=5.0)
    assert not await world.redis.exists(world.keys.call("main", "CA1"))


async def test_a_process_that_ends_lets_others_take_the_call(world: World, slow: Slow) -> None:
    """The carrier asks one of them next."""
    with pytest.raises(BeingTaken):
        await world.take(within_s=0.05)
    await slow.asked.wait()
    await world.background.aclose()
    assert not await world.redis.exists(world.keys.call("main", "CA1"))
