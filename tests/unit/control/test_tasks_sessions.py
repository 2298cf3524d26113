"""``sessions.*``: placed once, closed by who has it, believed only under the current lease."""

from __future__ import annotations

import pytest
from task_harness import (
    EPOCH,
    LANE,
    LaneReader,
    a_placed_record,
    a_record,
    hold_lane,
    last_log,
    log_of,
    placed,
    published,
    slots,
)

from control.context import TaskContext
from control.tasks.sessions import _close, _create, _report
from voicebackend.errors import ConnectionFailed
from voicebackend.session import SessionState
from voicebackend.streams import Kind

S = SessionState


# ---------------------------------------------------------------- create


async def test_a_session_that_has_its_slot_is_started_in_the_trace_of_its_request(
    shared: TaskContext, lane: LaneReader
) -> None:
    """The frame carries the request's trace."""
    record = await placed(shared, state=S.STARTING, traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01")
    await _create(shared, record.id)
    (start,) = await lane.until(Kind.START)
    assert start.session == record.id
    assert start.json() == {"traceparent": record.traceparent}


async def test_creating_again_tells_the_worker_again(shared: TaskContext, lane: LaneReader) -> None:
    """The first task may have died before its frame was written."""
    record = await placed(shared, state=S.STARTING)
    await _create(shared, record.id)
    await _create(shared, record.id)
    assert [frame.kind for frame in await lane.until(Kind.START) + await lane.until(Kind.START)] == [Kind.START] * 2
    assert await slots(shared) == 1


async def test_a_lane_without_its_stream_is_worth_another_try(shared: TaskContext) -> None:
    """The audio server may have lost its memory for a moment."""
    record = await placed(shared, state=S.STARTING)
    with pytest.raises(ConnectionFailed) as caught:
        await _create(shared, record.id)
    assert caught.value.retryable


@pytest.mark.parametrize("state", [S.PENDING, S.READY, S.ACTIVE, S.ENDED, S.FAILED])
async def test_a_session_that_waits_has_started_or_is_over_is_not_started(shared: TaskContext, state: S) -> None:
    """A late task changes nothing."""
    record = a_placed_record(state=state)
    await shared.store.create(record)
    await _create(shared, record.id)
    await _create(shared, "f" * 32)
    assert await shared.store.get(record.id) == record


# ---------------------------------------------------------------- close


async def test_closing_tells_the_lanes_holder(shared: TaskContext, lane: LaneReader) -> None:
    """The worker ends it and reports."""
    record = await placed(shared)
    await _close(shared, record.id, "closed")
    (frame,) = await lane.until(Kind.CLOSE)
    assert (frame.session, frame.json()) == (record.id, {"reason": "closed"})
    assert (await shared.store.get(record.id)).state is S.ACTIVE


async def test_closing_a_session_without_a_lane_ends_it(shared: TaskContext) -> None:
    """Nobody else could."""
    record = a_record()
    await shared.store.create(record)
    await _close(shared, record.id, "closed")
    await _close(shared, record.id, "closed again")
    ended = await shared.store.get(record.id)
    assert (ended.state, ended.reason) == (S.ENDED, "closed")
    assert [entry["type"] for entry in await log_of(shared.state, shared.keys, record.id)].count("ended") == 1


async def test_closing_a_session_whose_worker_is_gone_ends_it_and_frees_its_slot(shared: TaskContext) -> None:
    """The lease lapsed, or another worker has the lane."""
    for number, holder in enumerate(("", "another-worker"), start=1):
        record = await placed(shared, number=number)
        if holder:
            await hold_lane(shared.state, shared.keys, LANE, holder, EPOCH + 1)
        else:
            await shared.state.delete(shared.keys.lease(LANE))
        await _close(shared, record.id, "closed")
        assert (await shared.store.get(record.id)).state is S.ENDED
        assert await last_log(shared, record, 1) == [{"type": "ended", "reason": "closed"}]
        assert await slots(shared) == 0


async def test_closing_a_session_whose_lane_is_gone_ends_it_quietly(
    shared: TaskContext, caplog: pytest.LogCaptureFixture
) -> None:
    """As when worker and application stop at once: the lease is there, its stream no longer."""
    record = await placed(shared)
    await _close(shared, record.id, "closed")
    ended = await shared.store.get(record.id)
    assert (ended.state, ended.reason) == (S.ENDED, "closed")
    assert await slots(shared) == 0
    assert [said for said in caplog.records if said.levelname in {"WARNING", "ERROR"}] == []


# ---------------------------------------------------------------- report


async def test_what_the_worker_reports_stands_in_the_record(shared: TaskContext) -> None:
    """That it ended: with the slot freed and the rest looked after."""
    record = await placed(shared)
    await shared.store.append_log(record.id, {"type": "ended", "reason": "hangup"})
    await _report(shared, record.id, S.ENDED, EPOCH, "hangup")
    ended = await shared.store.get(record.id)
    assert (ended.state, ended.reason) == (S.ENDED, "hangup")
    assert await slots(shared) == 0
    assert published(shared) == [("retention.apply", {"session_id": record.id})]
    assert [entry["type"] for entry in await log_of(shared.state, shared.keys, record.id)].count("ended") == 1


async def test_a_report_under_an_older_lease_is_ignored(shared: TaskContext) -> None:
    """A worker that lost its lane has no say."""
    record = await placed(shared)
    await _report(shared, record.id, S.FAILED, EPOCH - 1, "pipeline_error")
    assert await shared.store.get(record.id) == record
    assert await slots(shared) == 1
    assert published(shared) == []


async def test_a_report_on_a_session_that_is_over_or_gone_is_ignored(shared: TaskContext) -> None:
    """It comes too late, and is no error."""
    record = await placed(shared, state=S.ENDED, reason="closed")
    await _report(shared, record.id, S.FAILED, EPOCH, "pipeline_error")
    await _report(shared, "f" * 32, S.ENDED, EPOCH, "closed")
    assert (await shared.store.get(record.id)).state is S.ENDED
