"""What becomes of a call: each outcome once, in any order, within windows, as often as its retries allow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control.telephony.outbound import plan
from control.telephony.outbound.call import IN_FLIGHT, OVER, OutboundCall
from control.telephony.outbound.carrier import CallStatus, Outcome
from control.telephony.outbound.plan import TRANSITIONS, Watch
from control.telephony.outbound.windows import Hours, zones_of
from voicebackend.calls import AttemptEnd, CallRequest, CallState, CallWindow, Retries, Retry

NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC).timestamp()
WATCH = Watch(max_duration_s=600)
ALWAYS = CallWindow.model_validate({"zone": "UTC", "from": "00:00", "until": "00:00"})


def a_call(**changes: Any) -> OutboundCall:
    """Return a call that is due now."""
    request = CallRequest(to="+12025550111", windows=(ALWAYS,), **changes)
    call = OutboundCall(
        id="c" * 32, tenant="t", trunk="main", from_="+14155550100", request=request, created_at=NOW, version=1
    )
    return plan.planned(call, NOW)


def in_flight(**changes: Any) -> OutboundCall:
    """Return a call whose first attempt was ordered."""
    begun = plan.begun(a_call(**changes), NOW)
    assert begun is not None
    ordered = plan.ordered(begun, 1, "CA1", WATCH, NOW)
    assert ordered is not None
    return ordered


def told(outcome: Outcome, attempt: int = 1, at: float = NOW + 5, **more: Any) -> CallStatus:
    """Return a status."""
    return CallStatus(call="c" * 32, attempt=attempt, outcome=outcome, at=at, **more)


def after(call: OutboundCall, *outcomes: Outcome, attempt: int = 1) -> OutboundCall:
    """Return a call after these were told, one after the other."""
    for number, outcome in enumerate(outcomes):
        call = plan.heard(call, told(outcome, attempt, NOW + number + 1), WATCH, NOW + number + 1) or call
    return call


def test_a_call_that_is_answered_is_done_when_it_is_over() -> None:
    """With the times at which it rang, was answered and ended."""
    call = after(in_flight(), Outcome.RINGING, Outcome.ANSWERED)
    assert (call.state, call.look_at) == (CallState.IN_PROGRESS, NOW + 2 + plan.CHECK_S)
    call = after(in_flight(), Outcome.RINGING, Outcome.ANSWERED, Outcome.COMPLETED)
    attempt = call.attempts[0]
    assert (attempt.ringing_at, attempt.answered_at, attempt.ended_at) == (NOW + 1, NOW + 2, NOW + 3)
    assert (call.state, call.reason, call.look_at, call.due_at) == (CallState.DONE, "completed", None, None)


@pytest.mark.parametrize(
    ("outcome", "end", "wait"),
    [
        (Outcome.BUSY, AttemptEnd.BUSY, 300),
        (Outcome.NO_ANSWER, AttemptEnd.NO_ANSWER, 3600),
        (Outcome.FAILED, AttemptEnd.FAILED, 60),
        (Outcome.CANCELLED, AttemptEnd.CANCELLED, 60),
    ],
)
def test_who_was_not_reached_is_called_again_after_the_wait(outcome: Outcome, end: AttemptEnd, wait: float) -> None:
    """Each kind of outcome has its own."""
    call = after(in_flight(), outcome)
    assert (call.state, call.due_at, call.attempts[0].outcome) == (CallState.PLANNED, NOW + 1 + wait, end)


def test_retries_are_counted_by_kind_and_come_to_an_end() -> None:
    """Twice busy, then no answer, then busy for the third time."""
    call, ends = a_call(), [Outcome.BUSY, Outcome.BUSY, Outcome.NO_ANSWER, Outcome.BUSY]
    for number, end in enumerate(ends, start=1):
        begun = plan.begun(call, NOW)
        assert begun is not None
        call = after(begun, end, attempt=number)
    assert (call.state, call.reason, len(call.attempts)) == (CallState.FAILED, "busy", 4)


@pytest.mark.parametrize(
    ("changes", "outcomes", "state", "end"),
    [
        ({}, [Outcome.MACHINE, Outcome.COMPLETED], CallState.DONE, AttemptEnd.COMPLETED),
        ({"on_machine": "hang_up"}, [Outcome.MACHINE, Outcome.COMPLETED], CallState.DONE, AttemptEnd.MACHINE),
        (
            {"on_machine": "hang_up", "retries": Retries(machine=Retry(count=1, wait=60))},
            [Outcome.MACHINE, Outcome.COMPLETED],
            CallState.PLANNED,
            AttemptEnd.MACHINE,
        ),
        ({}, [Outcome.ANSWERED, Outcome.FAILED], CallState.DONE, AttemptEnd.COMPLETED),
        ({}, [Outcome.COMPLETED, Outcome.ANSWERED], CallState.DONE, AttemptEnd.COMPLETED),
        ({}, [Outcome.BUSY, Outcome.RINGING], CallState.PLANNED, AttemptEnd.BUSY),
    ],
)
def test_machines_and_late_words(
    changes: dict[str, Any], outcomes: list[Outcome], state: CallState, end: AttemptEnd
) -> None:
    """A machine that was hung up on can be called again; what comes after the end changes nothing."""
    call = after(in_flight(**changes), *outcomes)
    assert (call.state, call.attempts[0].outcome) == (state, end)


def test_an_order_that_never_came_or_was_refused_is_made_again_and_does_not_count() -> None:
    """Sooner, then later; the carrier's own wait is honoured."""
    call = a_call(retries=Retries(failed=Retry(count=0, wait=60)))
    waits = []
    for _ in range(8):
        begun = plan.begun(call, NOW)
        assert begun is not None
        call = plan.ended(begun, AttemptEnd.LOST, NOW)
        waits.append((call.due_at or 0) - NOW)
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]
    begun = plan.begun(call, NOW)
    assert begun is not None
    assert plan.ended(begun, AttemptEnd.REFUSED, NOW, wait_s=30).due_at == NOW + 30
    for final in (AttemptEnd.REJECTED, AttemptEnd.UNKNOWN):
        assert plan.ended(begun, final, NOW).state is CallState.FAILED


def test_a_call_is_called_off_at_once_or_as_soon_as_the_carrier_is_told() -> None:
    """One that is just being ordered is left alone until it is known whether the carrier has it."""
    planned = plan.cancelled(a_call(), NOW)
    assert planned is not None
    assert planned.state is CallState.CANCELLED
    begun = plan.begun(a_call(), NOW)
    assert begun is not None
    waiting = plan.cancelled(begun, NOW)
    assert waiting is not None
    assert (waiting.cancelling, waiting.look_at) == (True, NOW + plan.LEASE_S)
    known = plan.ordered(waiting, 1, "CA1", WATCH, NOW + 1)
    assert known is not None
    assert known.look_at == NOW + 1
    ended = plan.heard(known, told(Outcome.BUSY), WATCH, NOW + 5)
    assert ended is not None
    assert (ended.state, plan.cancelled(ended, NOW)) == (CallState.CANCELLED, None)


statuses = st.builds(
    told,
    st.sampled_from(Outcome),
    st.integers(min_value=1, max_value=4),
    st.floats(min_value=NOW - 60, max_value=NOW + 60),
    machine=st.sampled_from([None, True, False]),
)


@settings(deadline=None)
@given(st.lists(statuses, max_size=12), st.integers(min_value=1, max_value=3))
def test_whatever_is_told_however_often_and_in_which_order_each_attempt_ends_once(
    heard: list[CallStatus], begin_every: int
) -> None:
    """Moves obey the table, an end stays, and a call is in exactly one list."""
    call = a_call()
    for number, status in enumerate(heard):
        before = call
        if number % begin_every == 0:
            call = plan.begun(call, NOW) or call
        once = plan.heard(call, status, WATCH, NOW)
        if once is not None:
            assert call.current is not None
            again = plan.heard(once, status, WATCH, NOW)
            assert again is None or again.with_(look_at=once.look_at) == once
            assert once.state is call.state or once.state in TRANSITIONS[call.state]
            call = once
        for old, new in zip(before.attempts, call.attempts, strict=False):
            assert old.outcome is None or old == new
        assert (call.due_at is not None) == (call.state is CallState.PLANNED)
        assert (call.look_at is not None) == (call.state in IN_FLIGHT)
        assert (call.ended_at is not None) == (call.state in OVER)


@settings(deadline=None, max_examples=40)
@given(
    st.datetimes(min_value=datetime(2026, 1, 1), max_value=datetime(2027, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001
    st.sampled_from(["+12085551234", "+14155550123", "+493012345678", "+18005550123", "+61412345678"]),
)
def test_the_next_opening_is_open_everywhere_and_none_is_passed_over(when: datetime, number: str) -> None:
    """In every zone in which the number may be, also when clocks are changed."""
    zones = zones_of(number)
    hours = Hours((CallWindow(),), zones)
    found = hours.next_open(when)
    assert found is not None
    assert found >= when
    assert all(8 <= found.astimezone(ZoneInfo(zone)).hour < 21 for zone in zones)
    steps = [when + timedelta(hours=step) for step in range(int((found - when).total_seconds() // 3600))]
    assert not any(hours.are_open(step) for step in steps if step < found)


def test_windows_of_several_days_and_over_midnight_open_in_order() -> None:
    """A window with a zone of its own asks no other; without any zone none is ever open."""
    weekend = CallWindow.model_validate(
        {"zone": "Europe/Berlin", "days": ["sat", "sun"], "from": "22:00", "until": "02:00"}
    )
    hours = Hours((weekend,), ())
    monday = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    saturday = datetime(2026, 11, 28, 21, 0, tzinfo=UTC)
    assert hours.next_open(monday) == saturday
    assert [hours.are_open(saturday + timedelta(hours=past)) for past in (0, 3, 5)] == [True, True, False]
    assert Hours((CallWindow(),), ()).next_open(monday) is None
    for earlier, later in pairwise([monday, saturday, saturday + timedelta(hours=5)]):
        assert (hours.next_open(earlier) or earlier) < (hours.next_open(later) or later) + timedelta(days=1)
