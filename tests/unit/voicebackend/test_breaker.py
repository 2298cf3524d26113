"""A circuit breaker: a table of states, and seconds passed in."""

from __future__ import annotations

import pytest

from voicebackend.breaker import TRANSITIONS, Breaker, BreakerEvent, BreakerState


def opened(at: float = 0.0) -> Breaker:
    """Return a breaker that opened at this second."""
    breaker = Breaker(max_failures=3, cool_down_s=10)
    assert [breaker.failed(at) for _ in range(3)] == [False, False, True]
    return breaker


def test_it_opens_after_failures_in_a_row_and_a_success_between_them_forgives() -> None:
    """Two, a success, two: still closed; the third opens it."""
    breaker = Breaker(max_failures=3, cool_down_s=10)
    breaker.failed(0)
    breaker.failed(1)
    breaker.succeeded()
    assert [breaker.failed(second) for second in (2, 3)] == [False, False]
    assert breaker.state is BreakerState.CLOSED
    assert breaker.failed(4)
    assert breaker.state is BreakerState.OPEN


def test_open_admits_nothing_until_it_has_cooled_down() -> None:
    """Ten seconds after it opened, to the moment."""
    breaker = opened(at=5)
    assert not breaker.admits(14.999)
    assert breaker.admits(15)
    assert breaker.state is BreakerState.HALF_OPEN


@pytest.mark.parametrize("good", [True, False])
def test_the_first_outcome_after_cooling_down_decides(good: bool) -> None:
    """A success closes it, one failure opens it for as long again."""
    breaker = opened()
    breaker.admits(10)
    if good:
        breaker.succeeded()
    else:
        assert breaker.failed(10.5)
    assert breaker.admits(20.4) is good
    assert breaker.admits(20.5)


def test_tripping_opens_at_once_and_only_once() -> None:
    """It says whether it made a difference."""
    breaker = Breaker()
    assert breaker.trip(0)
    assert not breaker.trip(1)
    assert repr(breaker) == "<Breaker open [0 failures in a row]>"


def test_the_table_leads_from_every_state_to_every_other_and_nowhere_else() -> None:
    """What is not in the table changes nothing."""
    assert set(TRANSITIONS.values()) == set(BreakerState)
    assert (BreakerState.CLOSED, BreakerEvent.COOLED) not in TRANSITIONS
    breaker = Breaker()
    breaker.succeeded()
    assert breaker.state is BreakerState.CLOSED
