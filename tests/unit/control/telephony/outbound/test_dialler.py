"""Dialling with carriers that refuse, hang, lose orders or their memory, and with processes that die in between."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from outbound_office import Carrier, Office
from redis.asyncio import Redis

from control.telephony.outbound import dialler as dialling
from control.telephony.outbound import plan
from control.telephony.outbound.carrier import CallStatus, Outcome
from voicebackend.calls import AttemptEnd, CallState, CallWindow, Retries, Retry
from voicebackend.errors import (
    ConnectionFailed,
    ConnectionTimeout,
    InvalidConfig,
    ProviderNotFound,
    RateLimitExceeded,
    SessionLimitExceeded,
)
from voicebackend.settings import Deployment

NEVER_NOW = CallWindow.model_validate(
    {"zone": "UTC", "days": [["mon", "tue", "wed", "thu", "fri", "sat", "sun"][(time.gmtime().tm_wday + 3) % 7]]}
)


@pytest.fixture
def office(redis: Redis, deployment: Deployment) -> Office:
    """Give a trunk."""
    return Office(redis, deployment)


async def test_a_due_call_is_ordered_once_by_any_number_of_processes(office: Office) -> None:
    """The order says who, whom, and where the carrier tells what becomes of it."""
    call = await office.plan(max_ring_s=20, on_machine="hang_up")
    await asyncio.gather(*(office.dialler().dial_due() for _ in range(8)))
    (order,) = office.carrier.orders
    assert (order.call, order.attempt, order.to, order.ring_s, order.detect_machine) == (
        call,
        1,
        "+12025550111",
        20,
        True,
    )
    assert order.status_url == f"https://voice.example.com/v1/telephony/main/calls/{call}/status?attempt=1"
    assert "+1202" not in repr(order)
    found = await office.book.get(call)
    assert (found.state, found.attempts[0].carrier_call_id) == (CallState.DIALLING, "CA1")
    assert await office.active() == 1


async def test_a_trunk_has_no_more_calls_at_once_and_a_second_than_it_may(redis: Redis, deployment: Deployment) -> None:
    """Two processes share both; who ends a call makes room for another."""
    office = Office(redis, deployment, cps=10, concurrent=4)
    calls = [await office.plan() for _ in range(6)]
    began = time.monotonic()
    await asyncio.gather(office.dialler().dial_due(), office.dialler().dial_due())
    assert len(office.carrier.orders) == await office.active() == 4
    assert time.monotonic() - began >= 0.29
    status = CallStatus(call=office.carrier.orders[0].call, attempt=1, outcome=Outcome.COMPLETED, at=time.time())
    await office.book.change(status.call, lambda found: plan.heard(found, status, office.line.watch, time.time()))
    await office.dialler().dial_due()
    assert (len(office.carrier.orders), await office.active()) == (5, 4)
    assert {order.call for order in office.carrier.orders} < set(calls)


async def test_a_call_to_a_listed_number_or_outside_its_hours_is_not_dialled(office: Office) -> None:
    """Though it was planned before."""
    listed, later = await office.plan(), await office.plan(to="+12025550112", windows=(NEVER_NOW,))
    await office.listed.put("default", "+12025550111", "")
    await office.dialler().dial_due()
    assert office.carrier.orders == []
    assert (await office.book.get(listed)).reason == "do_not_call"
    waits = await office.book.get(later)
    assert waits.state is CallState.PLANNED
    assert (waits.due_at or 0) > time.time() + 3600
    assert await office.active() == 0


@pytest.mark.parametrize(
    ("error", "state", "end"),
    [
        (RateLimitExceeded("dial", retry_after=30), CallState.PLANNED, AttemptEnd.REFUSED),
        (InvalidConfig("dial", "no such number"), CallState.FAILED, AttemptEnd.REJECTED),
        (ConnectionTimeout("dial"), CallState.DIALLING, None),
        (ConnectionFailed("dial"), CallState.DIALLING, None),
        (RuntimeError("a bug of the carrier's"), CallState.DIALLING, None),
    ],
    ids=str,
)
async def test_an_order_that_fails(office: Office, error: Exception, state: CallState, end: AttemptEnd | None) -> None:
    """Is made again where the carrier did not take it, never where it never will, and waits where nobody knows."""

    def fail() -> str:
        raise error

    office.carrier.answer = fail
    call = await office.plan()
    await office.dialler().dial_due()
    found = await office.book.get(call)
    assert (found.state, found.attempts[0].outcome) == (state, end)
    if end is AttemptEnd.REFUSED:
        assert (found.due_at or 0) > time.time() + 25


async def test_a_process_that_dies_before_it_has_written_leaves_the_call_to_another(office: Office) -> None:
    """The claim lapses; the call is due again, as the same first attempt."""
    call = await office.plan()
    assert (await office.book.claim("main", concurrent=1, cps=100)).call == call
    await office.dialler().dial_due()
    assert office.carrier.orders == []
    await office.lapse(call)
    await office.dialler().look()
    await office.dialler().dial_due()
    assert [order.attempt for order in office.carrier.orders] == [1]


async def test_a_process_that_wakes_late_does_not_dial_what_another_has(office: Office) -> None:
    """It reads an older version than is written."""
    call = await office.plan()
    asleep = await office.book.get(call)
    await office.dialler().dial_due()
    begun = plan.begun(asleep, time.time())
    assert begun is not None
    assert await office.book.put(begun) is None
    await office.dialler()._dial(call)
    assert len(office.carrier.orders) == 1


async def died_while_ordering(office: Office) -> str:
    """Return a call whose process died after it had written that it orders."""
    call = await office.plan(retries=Retries(failed=Retry(count=2, wait=1)))
    await office.book.claim("main", concurrent=10, cps=100)
    begun = plan.begun(await office.book.get(call), time.time())
    assert begun is not None
    await office.book.put(begun)
    await office.lapse(call)
    return call


async def test_an_attempt_whose_order_never_arrived_is_followed_by_another(office: Office) -> None:
    """It is never made again as the same."""
    call = await died_while_ordering(office)
    await office.dialler().look()
    found = await office.book.get(call)
    assert (found.state, found.attempts[0].outcome) == (CallState.PLANNED, AttemptEnd.LOST)


async def test_an_attempt_that_the_carrier_has_is_waited_for(office: Office) -> None:
    """Nobody orders it again."""
    call = await died_while_ordering(office)
    office.carrier.known = CallStatus(
        call=call, attempt=1, outcome=Outcome.RINGING, carrier_call_id="CA7", at=time.time()
    )
    await office.dialler().look()
    found = await office.book.get(call)
    assert (found.state, found.attempts[0].carrier_call_id) == (CallState.RINGING, "CA7")
    await office.dialler().dial_due()
    assert office.carrier.orders == []


async def test_an_attempt_of_which_the_carrier_cannot_tell_is_given_up_and_never_made_again(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once it must be over."""
    call = await died_while_ordering(office)
    office.carrier.known = ConnectionFailed("find", "cannot be told")
    await office.dialler().look()
    assert (await office.book.get(call)).state is CallState.DIALLING
    later = time.time() + 300
    monkeypatch.setattr(dialling.time, "time", lambda: later)
    await office.lapse(call)
    await office.dialler().look()
    found = await office.book.get(call)
    assert (found.state, found.reason) == (CallState.FAILED, "unknown")
    assert await office.active() == 0


async def test_a_call_that_is_called_off_is_hung_up(office: Office) -> None:
    """And its trunk has room again."""
    call = await office.plan()
    await office.dialler().dial_due()
    await office.book.change(call, lambda found: plan.cancelled(found, time.time()))
    office.carrier.known = CallStatus(call=call, attempt=1, outcome=Outcome.RINGING, at=time.time())
    await office.dialler().look()
    found = await office.book.get(call)
    assert (office.carrier.hung_up, found.state, found.reason) == (["CA1"], CallState.CANCELLED, "cancelled")
    assert await office.active() == 0


async def test_a_conversation_that_lasts_too_long_is_hung_up(redis: Redis, deployment: Deployment) -> None:
    """By the trunk's longest."""
    office = Office(redis, deployment, max_duration=10)
    call = await office.plan()
    await office.dialler().dial_due()
    answered = CallStatus(call=call, attempt=1, outcome=Outcome.ANSWERED, at=time.time() - 60)
    await office.book.change(call, lambda found: plan.heard(found, answered, office.line.watch, time.time()))
    office.carrier.known = answered
    await office.lapse(call)
    await office.dialler().look()
    found = await office.book.get(call)
    assert (office.carrier.hung_up, found.state) == (["CA1"], CallState.DONE)


async def test_a_call_whose_record_is_gone_leaves_the_lists(office: Office) -> None:
    """It holds no room of the trunk's."""
    call = await office.plan()
    await office.redis.delete(office.keys.outbound(call))
    await office.dialler().dial_due()
    assert await office.active() == 0
    assert await office.book.to_look_at("main", time.time() + 1000) == []


@pytest.mark.parametrize(
    ("error", "state"),
    [(SessionLimitExceeded("dial"), CallState.PLANNED), (ProviderNotFound("dial"), CallState.FAILED)],
    ids=str,
)
async def test_nobody_is_rung_up_while_nobody_could_speak(office: Office, error: Exception, state: CallState) -> None:
    """The call waits for room, and fails where there never will be any."""
    office.speaker.error = error
    call = await office.plan()
    await office.dialler().dial_due()
    found = await office.book.get(call)
    assert (office.carrier.orders, found.state, found.attempts) == ([], state, ())
    assert await office.active() == 0


async def test_who_joins_a_room_has_its_session_before_and_lets_go_of_it_after(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where nobody answered."""
    monkeypatch.setattr(Carrier, "joins_room", True)
    call = await office.plan()
    await office.dialler().dial_due()
    assert [order.session for order in office.carrier.orders] == ["session-1"]
    office.carrier.known = CallStatus(call=call, attempt=1, outcome=Outcome.BUSY, at=time.time())
    await office.lapse(call)
    await office.dialler().look()
    assert office.speaker.released == ["session-1"]


async def in_a_room(office: Office, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> str:
    """Make a call in which a machine has answered, as our own worker hears it; return its id."""
    monkeypatch.setattr(Carrier, "joins_room", True)
    call = await office.plan(**changes)
    await office.dialler().dial_due()
    machine = CallStatus(call=call, attempt=1, outcome=Outcome.MACHINE, at=time.time(), machine=True)
    office.carrier.known = machine
    await office.lapse(call)
    await office.dialler().look()
    return call


async def test_a_machine_of_which_only_we_know_is_hung_up_on(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the attempt ends as one that reached a machine."""
    call = await in_a_room(office, monkeypatch, on_machine="hang_up")
    assert office.carrier.hung_up == ["CA1"]
    (attempt,) = (await office.book.get(call)).attempts
    assert (attempt.outcome, attempt.machine) == (AttemptEnd.MACHINE, True)


async def test_a_machine_of_which_only_we_know_is_left_a_message(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the session in whose room it is; the call goes on until that has said it."""
    call = await in_a_room(office, monkeypatch, on_machine="leave_message", message="call us back")
    assert office.speaker.messages == [("session-1", "call us back")]
    assert office.carrier.hung_up == []
    assert (await office.book.get(call)).state is CallState.IN_PROGRESS
