"""Lanes are spread evenly and come to rest: hand over, make, drop."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from worker.lanes.balance import HYSTERESIS, to_create, to_drop, to_hand_over
from worker.lanes.plan import Member

SLOTS = 100


def member(name: str, *lanes: int, first: int = 0, **changes: Any) -> Member:
    """Return a worker with 100 slots and so many sessions in each of its lanes."""
    held = {first + number: sessions for number, sessions in enumerate(lanes)}
    return Member(id=name, lanes=held, slots_total=SLOTS, slots_used=sum(lanes), **changes)


def moved(giver: Member, receiver: Member, lane: int) -> tuple[Member, Member]:
    """Return both after a lane has moved."""
    sessions = giver.lanes[lane]
    left = {number: count for number, count in giver.lanes.items() if number != lane}
    more = {**receiver.lanes, lane: sessions}
    return (
        replace(giver, lanes=left, slots_used=giver.slots_used - sessions),
        replace(receiver, lanes=more, slots_used=receiver.slots_used + sessions),
    )


@given(st.lists(st.lists(st.integers(0, 25), max_size=4), min_size=2, max_size=8))
def test_lanes_come_to_rest_and_then_no_move_would_even_out_more(loads: list[list[int]]) -> None:
    """Each move brings givers and receivers closer; at rest the fullest has no lane that the emptiest should have."""
    members = {f"w{i}": member(f"w{i}", *lanes, first=10 * i) for i, lanes in enumerate(loads)}
    for _ in range(100):
        given_up = [
            (name, lane) for name in members for lane in to_hand_over(members[name], members.values(), now_ms=0)
        ]
        if not given_up:
            break
        for name, lane in given_up:
            emptiest = min(members, key=lambda other: (members[other].slots_used, other))
            members[name], members[emptiest] = moved(members[name], members[emptiest], lane)
    else:
        raise AssertionError("lanes do not come to rest")
    fullest = max(members.values(), key=lambda worker: (worker.fullness, worker.id))
    emptiest_now = min(members.values(), key=lambda worker: (worker.fullness, worker.id))
    for sessions in filter(None, fullest.lanes.values()):
        gap = fullest.fullness_with(-sessions) - emptiest_now.fullness_with(sessions)
        assert gap < HYSTERESIS or emptiest_now.fullness_with(sessions) > 1


def test_a_worker_that_joins_is_handed_one_lane_at_a_time() -> None:
    """The largest that evens out."""
    old, new = member("old", 20, 24, 15, 0), member("new", 0, 0, first=10)
    assert to_hand_over(old, [old, new], now_ms=0) == [1]
    assert to_hand_over(new, [old, new], now_ms=0) == []


def test_only_who_has_room_providers_and_leave_to_claim_receives() -> None:
    """Else the lane would come back."""
    old = member("old", 40, 40)
    needs = {0: frozenset({"mock"}), 1: frozenset({"mock"})}
    assert to_hand_over(old, [member("new")], now_ms=0, needs=needs) == []
    assert to_hand_over(old, [member("new", settled=False)], now_ms=0) == []
    assert to_hand_over(old, [member("new", admitting=False)], now_ms=0) == []
    assert to_hand_over(old, [member("new")], now_ms=5_000) == []


def test_who_drains_hands_over_every_lane_that_another_has_room_for_smallest_first() -> None:
    """A takeover may fill the other to 125 %."""
    leaving = member("leaving", 30, 5, 0, draining=True)
    assert to_hand_over(leaving, [member("other", 100, first=10)], now_ms=0) == [1]
    assert to_hand_over(leaving, [member("other", 121, first=10)], now_ms=0) == []
    assert to_hand_over(leaving, [], now_ms=0) == []


def test_workers_that_make_lanes_at_the_same_time_make_others() -> None:
    """They count from the lowest number that nobody has, each in its own place."""
    workers = [member("a", 0, first=1), member("b"), member("c", 0, 0, 0, 0, first=20)]
    made = [to_create(worker, workers, [], wanted=4) for worker in workers]
    assert [len(lanes) for lanes in made] == [3, 4, 0]
    taken = [lane for worker in workers for lane in worker.lanes] + [lane for lanes in made for lane in lanes]
    assert len(taken) == len(set(taken))


def test_nobody_makes_more_lanes_than_slots_and_who_leaves_makes_none() -> None:
    """A lane without a slot is of no use."""
    assert len(to_create(replace(member("small"), slots_total=2), [], [], wanted=4)) == 2
    assert to_create(member("leaving", draining=True), [], [], wanted=4) == []


def test_empty_lanes_beyond_what_is_wanted_are_dropped_and_all_of_them_when_draining() -> None:
    """Busy ones stay."""
    me = member("me", 3, 0, 0, 4, 0)
    assert to_drop(me, wanted=4) == [4]
    assert to_drop(me, wanted=1) == [4, 2, 1]
    assert to_drop(replace(me, draining=True), wanted=9) == [4, 2, 1]
