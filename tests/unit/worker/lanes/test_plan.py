"""Who takes a lane over: the emptiest worker that can run it, the others later, nobody beyond 125 %."""

from __future__ import annotations

from typing import Any

import pytest

from worker.lanes.plan import PATIENCE_MS, SEEN_MS, STAGGER_MS, STAGGERED, Member, Orphan, next_epoch, to_claim
from worker.lanes.restore import Restore, poison

NOW = 1_000_000


def member(name: str, used: int = 0, **changes: Any) -> Member:
    """Return a worker with 100 slots that was seen just now."""
    values: dict[str, Any] = {"id": name, "lanes": {}, "slots_total": 100, "slots_used": used, "seen_ms": NOW}
    return Member(**{**values, **changes})


def claims(me: Member, others: list[Member], *orphans: Orphan, may: bool = True) -> list[int]:
    """Return what a worker claims."""
    return to_claim(me, others, orphans, now_ms=NOW, may_claim_foreign=may)


def orphan(lane: int, sessions: int = 25, **changes: Any) -> Orphan:
    """Return a lane that lapsed just now."""
    return Orphan(lane=lane, sessions=sessions, **changes)


def test_the_emptiest_worker_takes_a_lane_at_once_and_the_others_leave_it() -> None:
    """Room counts."""
    full, empty = member("full", 60), member("empty", 10)
    assert claims(empty, [full, empty], orphan(7)) == [7]
    assert claims(full, [full, empty], orphan(7)) == []


def test_lanes_of_a_dead_worker_are_dealt_out_so_that_each_goes_to_one() -> None:
    """Workers that see the same announcements pick different lanes, and share the sessions evenly."""
    workers = [member(name, 10) for name in "abcd"]
    orphans = [orphan(lane) for lane in range(8)]
    taken = {worker.id: claims(worker, workers, *orphans) for worker in workers}
    assert sorted(lane for lanes in taken.values() for lane in lanes) == list(range(8))
    assert {len(lanes) for lanes in taken.values()} == {2}


def test_if_the_emptiest_does_not_come_the_others_try_one_after_another() -> None:
    """It may be gone, though its announcement is still there."""
    workers = [member("empty"), *(member(name, 50) for name in "abc")]
    last_ms = PATIENCE_MS + STAGGER_MS * STAGGERED
    tried = {
        name: [ms for ms in range(0, last_ms + 1, STAGGER_MS) if claims(me, workers, orphan(7, lapsed_ms=ms))]
        for me in workers
        if (name := me.id) != "empty"
    }
    firsts = [times[0] for times in tried.values()]
    assert min(firsts) >= PATIENCE_MS
    assert len(set(firsts)) == len(firsts)
    assert max(firsts) <= last_ms


def test_a_takeover_fills_a_worker_to_125_percent_and_no_further() -> None:
    """Alone, it takes what fits, busiest first."""
    assert claims(member("me", 90), [], orphan(1), orphan(2, 10), orphan(3, 36)) == [1, 2]
    assert claims(member("me", 500, slots_total=0), [], orphan(1)) == [1]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"providers": frozenset({"mock", "livekit"})}, [7]),
        ({"providers": frozenset({"mock"})}, []),
        ({"draining": True, "providers": frozenset({"mock", "livekit"})}, []),
    ],
)
def test_only_a_worker_with_every_provider_that_stays_takes_a_lane(
    changes: dict[str, Any], expected: list[int]
) -> None:
    """However long it has waited."""
    needs = frozenset({"mock", "livekit"})
    assert claims(member("me", **changes), [], orphan(7, providers=needs, lapsed_ms=10**6)) == expected


def test_nobody_claims_while_owners_come_first() -> None:
    """After ``state`` was away, lanes look free that are not."""
    assert claims(member("me"), [], orphan(7), may=False) == []


@pytest.mark.parametrize(
    "gone", [{"seen_ms": NOW - SEEN_MS}, {"draining": True}, {"settled": False}, {"admitting": False}]
)
def test_no_lane_is_dealt_to_a_worker_that_would_not_take_it(gone: dict[str, Any]) -> None:
    """It was not seen lately, leaves, may not claim yet, or has enough to do."""
    assert claims(member("me", 50), [member("better", 0, **gone)], orphan(7)) == [7]


def test_a_worker_that_lags_takes_a_lane_when_nobody_else_does() -> None:
    """Late audio is better than none; whoever does not lag comes first."""
    lags, idle = member("lags", 10, admitting=False), member("idle", 60)
    late = orphan(7, lapsed_ms=PATIENCE_MS + STAGGER_MS * STAGGERED)
    assert claims(lags, [lags, idle], orphan(7)) == []
    assert claims(idle, [lags, idle], orphan(7)) == [7]
    assert claims(lags, [lags], orphan(7)) == []
    assert claims(lags, [lags], late) == [7]


def test_an_epoch_is_after_all_that_anybody_remembers() -> None:
    """Whichever of ``state``, ``audio`` and the clock is last."""
    assert [next_epoch(*told) for told in [(9, 1, 2), (1, 9, 2), (1, 2, 9)]] == [10, 10, 10]


def test_a_lane_is_restored_more_carefully_each_time_that_led_nowhere() -> None:
    """Replay, one by one, without the suspect."""
    ways = [poison(takeovers) for takeovers in (1, 2, 3, 9)]
    assert ways == [Restore.REPLAY, Restore.ONE_BY_ONE, Restore.END_SUSPECT, Restore.END_SUSPECT]
