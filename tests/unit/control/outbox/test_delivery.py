"""When a webhook is tried again, and when it is given up: a table of its day."""

from __future__ import annotations

import pytest

from control.outbox.delivery import PATIENCE_S, Answer, Delivery, Outcome, decide, delay_after, event_id
from voicebackend.errors import InvalidFormat
from voicebackend.webhooks import Event, EventType

START = 1_790_000_000.0
EVENT = Event(id="evt_1", type="session.ended", created_at=START, tenant="acme", session_id="s", data={"turn": 1})
FAILED = Answer(status=500, error="it answers 500")


def _delivery(attempts: int) -> Delivery:
    raw = {**Delivery.of(EVENT, "e").to_fields(), "attempts": str(attempts)}
    return Delivery.from_fields({name.encode(): value.encode() for name, value in raw.items()})


@pytest.mark.parametrize(
    ("attempt", "shortest", "longest"),
    [
        (1, 0.5, 1),
        (2, 1, 2),
        (3, 2, 4),
        (7, 32, 64),
        (12, 1024, 2048),
        (13, 1800, 3600),
        (99, 1800, 3600),
        (10**9, 1800, 3600),
    ],
)
def test_tries_are_further_and_further_apart(attempt: int, shortest: float, longest: float) -> None:
    """Doubling up to an hour, each somewhere in the second half of its time."""
    assert (delay_after(attempt, 0.0), delay_after(attempt, 1.0)) == (shortest, longest)


@pytest.mark.parametrize("jitter", [0.0, 0.5, 1.0])
def test_an_event_that_nobody_takes_is_given_up_after_a_day(jitter: float) -> None:
    """After some dozens of tries, and not before its day is nearly over."""
    now, attempts = START, 0
    while True:
        attempts += 1
        outcome, due = decide(_delivery(attempts), FAILED, now, jitter)
        if outcome is Outcome.GIVEN_UP:
            break
        assert (outcome, due > now) == (Outcome.AGAIN, True)
        now = due
    assert PATIENCE_S - 3600 <= now - START <= PATIENCE_S
    assert 30 <= attempts <= 70


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        *((status, Outcome.DELIVERED) for status in (200, 201, 202, 204, 299)),
        *((status, Outcome.AGAIN) for status in (0, 199, 301, 302, 307, 400, 401, 403, 404, 410, 429, 500, 503)),
    ],
)
def test_only_two_hundreds_are_taken_for_done(status: int, outcome: Outcome) -> None:
    """A receiver that answers otherwise may be mended within the day."""
    assert decide(_delivery(1), Answer(status=status), START, 0.5)[0] is outcome


def test_what_is_told_twice_has_one_id() -> None:
    """The same for the same turn of the same session, another for any other."""
    ids = [
        *(event_id("s1", EventType.TURN_COMPLETED, "1"), event_id("s1", EventType.TURN_COMPLETED, "2")),
        *(event_id("s2", EventType.TURN_COMPLETED, "1"), event_id("s1", EventType.SESSION_ENDED, "1")),
    ]
    assert len(set(ids)) == 4
    assert ids[0] == event_id("s1", EventType.TURN_COMPLETED, "1")
    assert Delivery.of(EVENT, "a").id == Delivery.of(EVENT, "a").id != Delivery.of(EVENT, "b").id


def test_a_delivery_comes_back_from_redis_as_it_went() -> None:
    """And what is none is refused."""
    delivery = Delivery.of(EVENT, "e")
    raw = {name.encode(): value.encode() for name, value in delivery.to_fields().items()}
    assert Delivery.from_fields({**raw, b"not_before": b"1"}) == delivery
    with pytest.raises(InvalidFormat):
        Delivery.from_fields({b"id": b"x"})
