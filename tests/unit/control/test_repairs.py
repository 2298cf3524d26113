"""The reconciler: every difference between what should be and what is, made by hand, is repaired, told and counted."""

from __future__ import annotations

import logging
import time
from typing import Any

import pytest
from task_harness import EPOCH, LANE, a_placed_record, a_record, fill_lane, hold_lane, last_log, placed, slots

from control.context import TaskContext
from control.tasks.repairs.lanes import ORPHAN_S, TAKEOVER_S, repair_lanes
from control.tasks.repairs.reconcile import REPAIRS, reconcile
from voicebackend import channel
from voicebackend.record import ENDED_TTL_S, LIVE_TTL_S, SessionRecord
from voicebackend.session import SessionState

S = SessionState


@pytest.fixture
def repairs(caplog: pytest.LogCaptureFixture) -> Any:
    """Give what returns the kinds that were repaired, in order."""
    caplog.set_level(logging.WARNING)
    return lambda: [said.__dict__["repair"] for said in caplog.records if said.message == "repaired"]


async def lane_was_claimed(shared: TaskContext, lane: int = LANE) -> None:
    """Note a lane as somebody's, as a claim does."""
    await shared.state.hset(shared.keys.last_epoch(), str(lane), EPOCH)
    await shared.state.zadd(shared.keys.lanes(), {str(lane): 1})
    await shared.state.expire(shared.keys.lanes(), 60)


async def lapse(shared: TaskContext, **changes: Any) -> SessionRecord:
    """Write a running session in a lane that nobody holds."""
    record = await placed(shared, **changes)
    await lane_was_claimed(shared)
    await shared.state.delete(shared.keys.lease(LANE))
    return record


# ---------------------------------------------------------------- lanes that nobody holds


async def test_a_session_that_nobody_takes_over_fails_and_its_slot_is_free_again(
    shared: TaskContext, repairs: Any
) -> None:
    """Not before others had their time; its log gets the end that the worker could not write."""
    record, now = await lapse(shared), time.time()
    await repair_lanes(shared, now)
    await repair_lanes(shared, now + TAKEOVER_S - 1)
    assert (await shared.store.get(record.id)).state is S.ACTIVE
    await repair_lanes(shared, now + TAKEOVER_S + 1)
    failed = await shared.store.get(record.id)
    assert (failed.state, failed.reason) == (S.FAILED, "pipeline_error")
    assert await last_log(shared, record, 3) == [
        {"type": "repaired", "what": "session_unheld"},
        {"type": "session", "state": "failed", "reason": "pipeline_error"},
        {"type": "ended", "reason": "pipeline_error"},
    ]
    assert await slots(shared) == 0
    assert await shared.state.zcard(shared.keys.live_sessions()) == 0
    assert await shared.state.zcard(shared.keys.live_by_tenant()) == 0
    assert 0 < await shared.state.ttl(shared.keys.session(record.id)) <= ENDED_TTL_S
    assert repairs() == ["session_unheld"]


async def test_a_lane_that_workers_were_not_told_of_is_offered_to_them(shared: TaskContext, repairs: Any) -> None:
    """Redis had lost that somebody held it; one without sessions is not worth having."""
    await lapse(shared)
    await lane_was_claimed(shared, LANE + 1)
    await shared.state.delete(shared.keys.lanes())
    await repair_lanes(shared, time.time())
    assert await shared.state.zrange(shared.keys.lanes(), 0, -1) == [b"%d" % LANE]
    assert repairs() == ["lane_offered"]


async def test_a_lane_that_is_taken_over_in_time_keeps_its_sessions(shared: TaskContext, repairs: Any) -> None:
    """And if it lapses again later, its time begins anew."""
    record, now = await lapse(shared), time.time()
    await repair_lanes(shared, now)
    await hold_lane(shared.state, shared.keys, LANE, "another", EPOCH + 1)
    await repair_lanes(shared, now + TAKEOVER_S + 1)
    await shared.state.delete(shared.keys.lease(LANE))
    await repair_lanes(shared, now + 2 * TAKEOVER_S)
    await repair_lanes(shared, now + 3 * TAKEOVER_S - 1)
    assert (await shared.store.get(record.id)).state is S.ACTIVE
    assert repairs() == []


async def test_the_agent_of_a_session_that_is_ended_is_told_to_stop(shared: TaskContext, repairs: Any) -> None:
    """Nobody would hear it; a turn of before is left alone."""
    record, now = await lapse(shared), time.time()
    for turn in (1, 2):
        await shared.store.append_log(record.id, {"type": "transcript", "role": "user", "text": "x", "turn": turn})
        await shared.state.hset(shared.keys.turn(record.id, turn), mapping={"current": "3", "claimed": "3"})
        await shared.state.expire(shared.keys.turn(record.id, turn), 60)
    await repair_lanes(shared, now)
    await repair_lanes(shared, now + TAKEOVER_S + 1)
    assert await shared.state.hget(shared.keys.turn(record.id, 2), "cancelled") == b"3"
    assert await shared.state.hget(shared.keys.turn(record.id, 1), "cancelled") is None
    assert repairs() == ["session_unheld", "turn_cancelled"]


async def test_what_a_lane_without_holder_and_sessions_left_is_removed(shared: TaskContext, repairs: Any) -> None:
    """Stream and checkpoint; not those of a lane that still has a session, or a holder."""
    now = time.time()
    for lane in (1, 2, 3):
        await lane_was_claimed(shared, lane)
        await channel.create(shared.audio, shared.keys.lane(lane))
        await shared.audio.hset(shared.keys.lane_checkpoint(lane), "position", "1-0")
        await shared.audio.expire(shared.keys.lane_checkpoint(lane), 60)
    await hold_lane(shared.state, shared.keys, 2)
    await fill_lane(shared.state, shared.keys, 3, "f" * 32)
    await repair_lanes(shared, now)
    await repair_lanes(shared, now + ORPHAN_S + 1)
    left = [await shared.audio.exists(shared.keys.lane(lane), shared.keys.lane_checkpoint(lane)) for lane in (1, 2, 3)]
    assert left == [0, 2, 2]
    assert repairs() == ["lane_removed"]


# ---------------------------------------------------------------- what is counted


@pytest.mark.parametrize("what", ["over", "gone", "elsewhere"])
async def test_a_slot_whose_session_is_over_gone_or_elsewhere_is_freed(
    shared: TaskContext, repairs: Any, what: str
) -> None:
    """It would be lost for ever."""
    await lane_was_claimed(shared)
    record = a_placed_record(state=S.ENDED) if what == "over" else a_placed_record(lane=LANE + 1)
    if what != "gone":
        await shared.store.create(record)
    await fill_lane(shared.state, shared.keys, LANE, record.id)
    await reconcile(shared, time.time())
    assert await slots(shared) == 0
    assert "slot_freed" in repairs()


async def test_a_running_session_that_nobody_looks_after_is_looked_after_again(
    shared: TaskContext, repairs: Any
) -> None:
    """Its place in the index was lost."""
    record = await placed(shared)
    await lane_was_claimed(shared)
    await shared.state.delete(shared.keys.live_sessions())
    await reconcile(shared, time.time())
    assert await shared.store.due(time.time() + 1) == [record.id]
    await shared.state.expire(shared.keys.live_sessions(), 60)
    assert repairs() == ["session_unwatched"]


async def test_a_session_that_is_gone_does_not_count_as_its_tenants(shared: TaskContext, repairs: Any) -> None:
    """Others of the tenant do."""
    here, gone = a_record(1), a_record(2)
    for record in (here, gone):
        await shared.store.create(record)
    await shared.state.delete(shared.keys.session(gone.id))
    await reconcile(shared, time.time())
    assert await shared.state.zrange(shared.keys.live_by_tenant(), 0, -1) == [b"default\0" + here.id.encode()]
    assert repairs() == ["tenant_overcounted"]


async def test_keys_that_would_live_for_ever_get_a_time_to_live_and_permanent_ones_do_not(
    shared: TaskContext, repairs: Any
) -> None:
    """Inboxes, tokens, turns; once in a while, for it reads all names."""
    keys = shared.keys
    names = [keys.inbox("gone"), keys.used_token("t1"), keys.turn("s", 1), keys.lane_checkpoint(4), keys.resume("s")]
    for name in [*names, keys.token_secret()]:
        await shared.state.set(name, "1")
    await reconcile(shared, time.time())
    assert [0 < await shared.state.ttl(name) <= LIVE_TTL_S for name in names] == [True] * 5
    assert await shared.state.ttl(keys.token_secret()) == -1
    assert repairs() == ["key_expires"]
    await shared.state.persist(names[0])
    await reconcile(shared, time.time())
    assert await shared.state.ttl(names[0]) == -1
    await shared.state.delete(names[0])


async def test_nothing_is_repaired_where_nothing_is_broken(shared: TaskContext, repairs: Any) -> None:
    """A session that waits, one that runs, one that is over."""
    await placed(shared)
    await lane_was_claimed(shared)
    await shared.store.create(a_record(2, queue_until=time.time() + 120))
    over = a_record(3)
    await shared.store.create(over)
    await shared.store.move(over.id, S.ENDED)
    before = await shared.state.zscore(shared.keys.live_sessions(), a_placed_record().id)
    await reconcile(shared, time.time() + 60)
    assert repairs() == []
    assert before != await shared.state.zscore(shared.keys.live_sessions(), a_placed_record().id)


async def test_what_cannot_be_repaired_now_does_not_keep_the_rest_from_it(
    shared: TaskContext, repairs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One server may be down."""

    async def fails(_shared: TaskContext, _now: float) -> None:
        from voicebackend.errors import ConnectionFailed

        raise ConnectionFailed("repair")

    monkeypatch.setitem(REPAIRS, "lanes", fails)
    record = await placed(shared)
    await shared.state.delete(shared.keys.lane_sessions(LANE))
    await reconcile(shared, time.time() + 60)
    assert await shared.state.sismember(shared.keys.lane_sessions(LANE), record.id)
    assert repairs() == ["slot_restored"]
