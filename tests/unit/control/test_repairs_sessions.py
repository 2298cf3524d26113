"""Sessions looked after: what got lost is started again, what never begins is ended, and what runs lives on."""

from __future__ import annotations

import time
from typing import Any

import pytest
from task_harness import (
    EPOCH,
    LANE,
    WORKER,
    LaneReader,
    a_placed_record,
    a_record,
    hold_lane,
    last_log,
    placed,
    published,
    slots,
)

from control.context import TaskContext
from control.tasks.repairs.sessions import GIVE_UP_S, LOST_S, repair_sessions
from voicebackend.record import LIVE_TTL_S, SessionRecord
from voicebackend.session import SessionState
from voicebackend.streams import Kind

S = SessionState


async def look(shared: TaskContext, record: SessionRecord, age_s: float) -> None:
    """Have the reconciler look at a session of this age."""
    await shared.state.zadd(shared.keys.live_sessions(), {record.id: 0})
    await repair_sessions(shared, record.created_at + age_s)


async def test_a_starting_session_whose_task_got_lost_is_started_again(shared: TaskContext) -> None:
    """Not at once, and then again and again."""
    record = await placed(shared, state=S.STARTING)
    await look(shared, record, LOST_S - 1)
    assert published(shared) == []
    await look(shared, record, LOST_S + 1)
    assert published(shared) == [("sessions.create", {"session_id": record.id})]
    next_look = await shared.state.zscore(shared.keys.live_sessions(), record.id)
    assert next_look is not None
    assert next_look > record.created_at + LOST_S


async def test_a_session_that_waits_for_a_slot_is_left_alone_until_its_time_is_up(shared: TaskContext) -> None:
    """However long a start may take: it has not begun."""
    created = time.time()
    record = a_record(created_at=created, queue_until=created + 200)
    await shared.store.create(record)
    await look(shared, record, 199)
    assert (await shared.store.get(record.id)).state is S.PENDING
    await look(shared, record, 201)
    failed = await shared.store.get(record.id)
    assert (failed.state, failed.reason) == (S.FAILED, "session_limit_exceeded")


@pytest.mark.parametrize("start", [a_record, a_placed_record])
async def test_a_session_that_never_gets_ready_fails_with_timeout(
    shared: TaskContext, lane: LaneReader, start: Any
) -> None:
    """Placed or not; a lane's holder is told to end it."""
    record = start(state=S.PENDING if start is a_record else S.STARTING)
    await shared.store.create(record)
    await hold_lane(shared.state, shared.keys, LANE)
    await look(shared, record, GIVE_UP_S + 1)
    failed = await shared.store.get(record.id)
    assert (failed.state, failed.reason) == (S.FAILED, "timeout")
    assert await last_log(shared, record, 1) == [{"type": "ended", "reason": "timeout"}]
    if record.lane >= 0:
        assert (await lane.until(Kind.CLOSE))[-1].session == record.id


async def test_a_session_that_never_gets_ready_fails_though_its_lane_is_gone(shared: TaskContext) -> None:
    """Nobody hears that it is to close; its slot is free all the same."""
    record = await placed(shared, state=S.STARTING)
    await look(shared, record, GIVE_UP_S + 1)
    failed = await shared.store.get(record.id)
    assert (failed.state, failed.reason) == (S.FAILED, "timeout")
    assert await slots(shared) == 0


async def test_a_running_session_lives_on(shared: TaskContext) -> None:
    """Also while nobody holds its lane, for that may pass; its keys are kept alive."""
    record = await placed(shared)
    await shared.state.delete(shared.keys.lease(LANE))
    keys = shared.keys
    names = [keys.session(record.id), keys.session_log(record.id), keys.lane_sessions(LANE)]
    for name in names:
        await shared.state.expire(name, 60)
    await look(shared, record, 3600)
    assert await shared.store.get(record.id) == record
    assert all([await shared.state.ttl(name) > LIVE_TTL_S - 60 for name in names])


async def test_a_running_session_without_a_slot_gets_it_back_and_is_told(shared: TaskContext) -> None:
    """Else another would be given it."""
    record = await placed(shared)
    await shared.state.delete(shared.keys.lane_sessions(LANE))
    await look(shared, record, 60)
    assert await slots(shared) == 1
    assert await last_log(shared, record, 1) == [{"type": "repaired", "what": "slot_restored"}]


@pytest.mark.parametrize("state", [S.ENDED, S.FAILED])
async def test_a_session_whose_end_was_not_reported_ends(shared: TaskContext, state: S) -> None:
    """The broker was gone when the worker reported; else its tenant would have it for ever."""
    record = await placed(shared)
    for entry in ({"type": "session", "state": str(state), "reason": "x"}, {"type": "ended", "reason": "x"}):
        await shared.store.append_log(record.id, entry)
    await look(shared, record, 1)
    assert (await shared.store.get(record.id)).state is S.ACTIVE
    await look(shared, record, 60)
    ended = await shared.store.get(record.id)
    assert (ended.state, ended.reason) == (state, "x")
    assert await slots(shared) == 0
    assert await last_log(shared, record, 1) == [{"type": "ended", "reason": "x"}]


async def test_a_record_learns_who_took_the_lane_over(shared: TaskContext) -> None:
    """And an older holder cannot take that back."""
    record = await placed(shared)
    await hold_lane(shared.state, shared.keys, LANE, "another", EPOCH + 3)
    await look(shared, record, 60)
    noted = await shared.store.get(record.id)
    assert (noted.worker, noted.epoch) == ("another", EPOCH + 3)
    await hold_lane(shared.state, shared.keys, LANE, WORKER, EPOCH)
    await look(shared, record, 80)
    assert await shared.store.get(record.id) == noted


async def test_a_session_that_is_gone_or_over_is_no_longer_looked_at(shared: TaskContext) -> None:
    """The set of live sessions does not grow."""
    over = a_placed_record(2, state=S.ENDED)
    await shared.store.create(over)
    await shared.state.zadd(shared.keys.live_sessions(), {"e" * 32: 0, over.id: 0})
    await repair_sessions(shared, time.time())
    assert await shared.state.zcard(shared.keys.live_sessions()) == 0


async def test_one_session_that_cannot_be_looked_after_does_not_stop_the_others(shared: TaskContext) -> None:
    """Its record is broken; the next one is still reaped."""
    broken, lost = a_record(1), a_record(2, created_at=time.time() - GIVE_UP_S - 1)
    for record in (broken, lost):
        await shared.store.create(record)
    await shared.state.hset(shared.keys.session(broken.id), "created_at", "yesterday")
    await shared.state.zadd(shared.keys.live_sessions(), {broken.id: 0, lost.id: 1})
    await repair_sessions(shared, time.time())
    assert (await shared.store.get(lost.id)).state is S.FAILED
