"""The queue for slots: joined when all are taken, served in turn when one is free, told of, left, given up."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from task_harness import (
    WORKER,
    a_record,
    announce,
    fill_lane,
    last_log,
    log_of,
    published,
)

from control.context import TaskContext
from control.sessions.placement import Placement, able_workers
from control.sessions.workers import announced_workers
from control.tasks.ending import clean_up
from control.tasks.queue import _sweep
from control.tasks.sessions import _close
from voicebackend.errors import SessionLimitExceeded
from voicebackend.limits import Limits
from voicebackend.record import SessionRecord
from voicebackend.session import SessionState

S = SessionState
FULL = 1
"""The one lane, with room for one."""


@pytest.fixture(autouse=True)
async def _full(shared: TaskContext) -> None:
    """Let there be one worker with one slot, which is taken."""
    await announce(shared.state, shared.keys, WORKER, {FULL: 1}, slots_total=1, slots_free=0)
    await fill_lane(shared.state, shared.keys, FULL, "someone")


async def ask(
    shared: TaskContext, number: int, *, wait_s: float = 60, limits: Limits | None = None, **more: Any
) -> Any:
    """Ask for a session that may wait; return its record."""
    workers = able_workers(await announced_workers(shared.state, shared.keys), "mock")
    placement = Placement(shared.state, shared.keys, shared.store)
    record = a_record(number, **more)
    record = await placement.admit(record, workers, limits or Limits(), max_wait_s=wait_s)
    return await shared.queue.joined(record) if record.is_queued else record


async def free(shared: TaskContext) -> None:
    """Free the slot, without a word."""
    await shared.state.delete(shared.keys.lane_sessions(FULL))


async def standing(shared: TaskContext, *records: SessionRecord) -> list[tuple[str, int]]:
    """Return state and position of each."""
    now = [await shared.store.get(record.id) for record in records]
    return [(str(record.state), record.queue_position) for record in now]


async def test_a_session_that_may_wait_does_and_is_told_its_place(shared: TaskContext) -> None:
    """In its record and in its log; every key of it expires."""
    first, second = await ask(shared, 1), await ask(shared, 2)
    assert await standing(shared, first, second) == [("pending", 1), ("pending", 2)]
    view = second.view()
    assert (view.queue_position, view.worker) == (2, None)
    assert 0 <= view.queued_for_s < 5
    (told,) = await last_log(shared, second, 1)
    assert told == {"type": "session", "state": "pending", "queue_position": 2, "queued_for_s": view.queued_for_s}
    assert await shared.state.ttl(shared.keys.queue("mock")) > 300


async def test_nobody_gets_past_those_who_wait(shared: TaskContext) -> None:
    """A slot is free, but it is somebody's; who will not wait is refused."""
    await ask(shared, 1)
    await free(shared)
    with pytest.raises(SessionLimitExceeded):
        await ask(shared, 2, wait_s=0)
    assert (await ask(shared, 3)).queue_position == 2


async def test_a_slot_that_becomes_free_goes_to_the_next_at_once(shared: TaskContext) -> None:
    """By whoever frees it; the others move up with the next sweep."""
    first, second = await ask(shared, 1), await ask(shared, 2)
    over = a_record(9, state=S.ENDED, lane=FULL)
    await shared.store.create(over)
    await free(shared)
    await clean_up(shared, over)
    served = await shared.store.get(first.id)
    assert (served.state, served.lane, served.worker) == (S.STARTING, FULL, WORKER)
    assert served.placed_at >= served.created_at
    assert served.view().queue_position is None
    assert ("sessions.create", {"session_id": first.id}) in published(shared)
    await _sweep(shared)
    assert await standing(shared, second) == [("pending", 1)]
    assert (await last_log(shared, second, 1))[0]["queue_position"] == 1


async def test_tenants_take_turns_whenever_a_slot_is_free(shared: TaskContext) -> None:
    """However many one of them has waiting, and although each slot is given at another time."""
    waiting = [await ask(shared, number, tenant=tenant) for number, tenant in enumerate("aaabc", start=1)]
    came: list[str] = []
    for _ in waiting:
        await free(shared)
        await _sweep(shared)
        came += [record.tenant for record in waiting if await is_new(shared, record)]
    assert "".join(came) == "abcaa"


async def is_new(shared: TaskContext, record: SessionRecord) -> bool:
    """Tell whether a session has just got its slot; it runs from now on."""
    if (await shared.store.get(record.id)).state is not S.STARTING:
        return False
    await shared.store.move(record.id, S.READY)
    return True


async def test_who_has_waited_long_enough_fails_and_the_others_move_up(shared: TaskContext) -> None:
    """With the code that says why, and out of the queue."""
    first, second = await ask(shared, 1, created_at=time.time() - 10, wait_s=9), await ask(shared, 2)
    await free(shared)
    await fill_lane(shared.state, shared.keys, FULL, "another")
    await _sweep(shared)
    await _sweep(shared)
    failed = await shared.store.get(first.id)
    assert (failed.state, failed.reason) == (S.FAILED, "session_limit_exceeded")
    assert (await log_of(shared.state, shared.keys, first.id))[-1]["type"] == "ended"
    assert await standing(shared, second) == [("pending", 1)]
    assert await shared.state.zcard(shared.keys.queue("mock")) == 1


async def test_a_session_that_is_closed_leaves_the_queue(shared: TaskContext) -> None:
    """At once; nobody is given its place twice."""
    first, second = await ask(shared, 1), await ask(shared, 2)
    await _close(shared, first.id, "closed")
    assert (await shared.store.get(first.id)).state is S.ENDED
    assert await shared.state.zcard(shared.keys.queue("mock")) == 1
    await free(shared)
    await _sweep(shared)
    assert await standing(shared, first, second) == [("ended", 1), ("starting", 2)]


async def test_a_session_that_is_over_or_gone_holds_up_nobody(shared: TaskContext) -> None:
    """Whatever was left in the queue, the next one gets the slot."""
    over, gone, third = await ask(shared, 1), await ask(shared, 2), await ask(shared, 3)
    await shared.store.move(over.id, S.FAILED)
    await shared.state.delete(shared.keys.session(gone.id))
    await free(shared)
    await _sweep(shared)
    assert await standing(shared, third) == [("starting", 3)]
    assert await shared.state.zcard(shared.keys.queue("mock")) == 0


async def test_only_so_many_may_wait(shared: TaskContext) -> None:
    """The next is refused, and told which limit it was."""
    limits = Limits(max_queued=2)
    for number in (1, 2):
        await ask(shared, number, limits=limits)
    with pytest.raises(SessionLimitExceeded) as caught:
        await ask(shared, 3, limits=limits)
    assert caught.value.details == {"limit": "max_queued"}
    assert caught.value.retry_after


async def test_who_waits_counts_as_its_tenants(shared: TaskContext) -> None:
    """Else one tenant would fill the queue beyond what it may ever run."""
    limits = Limits(tenant_sessions=1)
    await ask(shared, 1, limits=limits, tenant="a")
    with pytest.raises(SessionLimitExceeded) as caught:
        await ask(shared, 2, limits=limits, tenant="a")
    assert caught.value.details == {"limit": "tenant_sessions"}
    assert (await ask(shared, 3, limits=limits, tenant="b")).queue_position == 2


async def test_many_sweeps_at_once_give_one_slot_once(shared: TaskContext) -> None:
    """Any process may serve at any time."""
    waiting = [await ask(shared, number) for number in range(1, 5)]
    await free(shared)
    await asyncio.gather(*(_sweep(shared) for _ in range(5)))
    states = [(await shared.store.get(record.id)).state for record in waiting]
    assert states == [S.STARTING, S.PENDING, S.PENDING, S.PENDING]
    assert await shared.state.scard(shared.keys.lane_sessions(FULL)) == 1
