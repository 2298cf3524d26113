"""When a consumer counts as stopped: pure decisions from looks."""

from __future__ import annotations

import pytest

from control.consumer_watch import STALL_S, Look, Progress

IDLE = Look(waiting=False, free=True, taken=7)
BUSY = Look(waiting=True, free=False, taken=7)
STUCK = Look(waiting=True, free=True, taken=7)


def looks(*seen: Look | None) -> list[bool]:
    """Return what is decided of looks a second apart."""
    progress = Progress()
    return [progress.stalled(look, float(at)) for at, look in enumerate(seen)]


def test_waiting_tasks_that_a_free_worker_leaves_mean_a_stall() -> None:
    """Not at once: only when it has lasted."""
    decided = looks(*[STUCK] * (round(STALL_S) + 1))

    assert decided == [False] * round(STALL_S) + [True]


@pytest.mark.parametrize("seen", [IDLE, BUSY, None])
def test_nothing_to_take_no_room_or_no_broker_is_no_stall(seen: Look | None) -> None:
    """However long it lasts, and it begins the count anew."""
    assert not any(looks(*[seen] * 30))
    assert not any(looks(*[STUCK] * round(STALL_S), seen, *[STUCK] * round(STALL_S)))


def test_each_task_taken_is_progress() -> None:
    """A queue that never empties is no stall while tasks leave it."""
    assert not any(looks(*[Look(waiting=True, free=True, taken=at) for at in range(60)]))
