"""Who is next: tenants in turn, and within a tenant who came first."""

from __future__ import annotations

import pytest

from control.sessions.queue_order import Waiting, in_order


def waiting(*names: str) -> list[Waiting]:
    """Return sessions ``tenant-number`` that came in this order."""
    return [
        Waiting(session=name, tenant=name.split("-")[0], since=float(at), until=100.0) for at, name in enumerate(names)
    ]


def order(names: list[str], **served: float) -> list[str]:
    """Return the names in the order in which they are served."""
    return [one.session for one in in_order(waiting(*names), served)]


def test_one_tenants_sessions_are_served_as_they_came() -> None:
    """First in, first out."""
    assert order(["a-1", "a-2", "a-3"]) == ["a-1", "a-2", "a-3"]


def test_tenants_are_served_in_turn_however_many_each_has() -> None:
    """Whoever asks for a hundred does not hold up who asks for one."""
    assert order(["a-1", "a-2", "a-3", "a-4", "b-1", "c-1", "b-2"]) == [
        *("a-1", "b-1", "c-1"),
        *("a-2", "b-2", "a-3", "a-4"),
    ]


def test_who_had_a_turn_lately_waits_for_those_who_had_none() -> None:
    """The turns of before count: one slot at a time is as fair as all at once."""
    assert order(["a-1", "a-2", "b-1"], a=50) == ["b-1", "a-1", "a-2"]
    assert order(["a-1", "b-1", "c-1"], a=7, b=5, c=6) == ["b-1", "c-1", "a-1"]


def test_serving_one_at_a_time_gives_the_order_told_to_those_who_wait() -> None:
    """The position that each is told is the one it has."""
    left, served, came = waiting("a-1", "a-2", "b-1", "a-3", "c-1", "b-2"), {"c": 3.0, "a": 1.0}, []
    told = [one.session for one in in_order(left, served)]
    for turn in range(6):
        first = in_order(left, served)[0]
        served[first.tenant] = 10.0 + turn
        left.remove(first)
        came.append(first.session)
    assert came == told


def test_a_ticket_reads_back_as_it_was_and_nothing_else_is_one() -> None:
    """Also with a tenant of several words."""
    one = Waiting(session="5e55", tenant="acme & sons of 1", since=2.25, until=1e9 + 0.123456)
    assert Waiting.read(one.ticket(), 2.25) == one
    with pytest.raises(ValueError, match="not enough values"):
        Waiting.read("nonsense", 1.0)
