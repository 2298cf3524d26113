"""A ``state`` that forgot what happened lately is told by the workers what runs, on a real Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from redis.asyncio import Redis
from worker_harness import Caller, ScriptedTasks, eventually

from control.sessions.slot_request import SlotRequest
from control.sessions.store import SessionStore
from control.sessions.workers import WorkerInfo
from voicebackend.config import BackendConfig
from voicebackend.errors import SessionLimitExceeded
from voicebackend.limits import Limits
from voicebackend.record import SessionRecord
from voicebackend.session import SessionState, Transport
from voicebackend.settings import Deployment
from voicebackend.streams import Kind
from worker.service import serve
from worker.settings import WorkerSettings
from worker.worker import Worker

SLOTS = 2


@pytest.fixture
async def tasks(audio: Redis, deployment: Deployment) -> ScriptedTasks:
    return ScriptedTasks(audio, deployment, lambda turn, attempt: ["Yes."])


@pytest.fixture
async def worker(deployment: Deployment, tasks: ScriptedTasks) -> AsyncIterator[Worker]:
    config = BackendConfig(provider="mock", max_concurrent_sessions=SLOTS)
    async with serve(config, deployment, publisher=tasks, settings=WorkerSettings(lanes=1)) as running:
        yield running


@pytest.fixture
async def caller(worker: Worker, deployment: Deployment, redis: Redis, audio: Redis) -> AsyncIterator[Caller]:
    """Give a caller in a call."""
    [lane] = worker.lanes.values()
    caller = Caller(deployment, redis, audio, lane.number)
    await caller.place(lane.epoch, worker=worker.id)
    await caller.attach()
    await caller.until("state", state="listening")
    yield caller
    await caller.close()


async def raw(caller: Caller) -> dict[bytes, bytes]:
    """Return the fields of a session's record."""
    found: Any = await caller.redis.hgetall(caller.deployment.keys.session(caller.session))
    return dict(found)


async def has_slot(caller: Caller) -> bool:
    """Tell whether a session has its slot."""
    return bool(await caller.redis.sismember(caller.deployment.keys.lane_sessions(caller.lane), caller.session))


async def admitted(caller: Caller, worker: Worker, number: int) -> bool:
    """Ask for a slot with this worker, as control does."""
    record = SessionRecord(
        id=f"{number:032x}",
        tenant="default",
        user_id="u",
        provider="mock",
        transport=Transport.WEBSOCKET,
        pipeline_type=BackendConfig(provider="mock").pipeline_type,
    )
    asked = WorkerInfo(id=worker.id, slots_total=SLOTS, lanes={caller.lane: SLOTS})
    try:
        store = SessionStore(caller.redis, caller.deployment.keys)
        await store.create(record, SlotRequest(workers=[asked], limits=Limits()))
    except SessionLimitExceeded:
        return False
    return True


async def test_a_slot_that_was_forgotten_is_taken_again(worker: Worker, caller: Caller) -> None:
    """Admission counts it: what is free is what was free."""
    keys = caller.deployment.keys
    assert await caller.redis.srem(keys.lane_sessions(caller.lane), caller.session)
    await eventually(lambda: has_slot(caller))
    assert await caller.redis.ttl(keys.lane_sessions(caller.lane)) > 0
    assert [await admitted(caller, worker, number) for number in (1, 2)] == [True, False]
    assert caller.session in worker.sessions


async def test_a_record_that_was_lost_is_written_again(worker: Worker, caller: Caller) -> None:
    """With its slot, its log and its place among the live, so that it is looked after."""
    keys, before = caller.deployment.keys, await raw(caller)
    await caller.redis.delete(keys.session(caller.session), keys.session_log(caller.session))
    await caller.redis.srem(keys.lane_sessions(caller.lane), caller.session)
    await eventually(lambda: has_slot(caller))
    placed = {b"state": b"active", b"worker": worker.id.encode(), b"epoch": b"%d" % worker.lanes[caller.lane].epoch}
    assert await raw(caller) == {**before, **placed}
    assert await caller.log() == [{"type": "session", "state": "active"}]
    assert await caller.redis.zscore(keys.live_sessions(), caller.session)
    for key in (keys.session(caller.session), keys.session_log(caller.session), keys.live_sessions()):
        assert await caller.redis.ttl(key) > 0


@pytest.mark.parametrize(
    "older", [{"state": "pending", "lane": -1, "worker": "", "epoch": 0}, {"state": "starting"}, {"epoch": 1}]
)
async def test_a_record_that_was_rolled_back_is_brought_up_to_date(
    worker: Worker, caller: Caller, older: dict[Any, Any]
) -> None:
    """Where it runs, under which epoch, and that it does."""
    await caller.redis.hset(caller.deployment.keys.session(caller.session), mapping=older)
    expected = (SessionState.ACTIVE, caller.lane, worker.id, worker.lanes[caller.lane].epoch)

    async def is_mended() -> bool:
        record = SessionRecord.from_fields(await raw(caller))
        return (record.state, record.lane, record.worker, record.epoch) == expected and await has_slot(caller)

    await eventually(is_mended)
    assert caller.session in worker.sessions


@pytest.mark.parametrize("changes", [{"lane": 999, "state": "active"}, {"epoch": 2**52}])
async def test_a_session_that_runs_elsewhere_is_let_go(
    worker: Worker, caller: Caller, tasks: ScriptedTasks, changes: dict[Any, Any]
) -> None:
    """Without another word: it is another worker's."""
    await caller.redis.hset(caller.deployment.keys.session(caller.session), mapping=changes)
    await eventually(lambda: caller.session not in worker.sessions)
    assert not [event for event in caller.events if event["type"] == "ended"]
    assert not {"ended", "failed"} & set(tasks.reports(caller.session))


async def test_a_session_goes_on_where_its_caller_is(worker: Worker, caller: Caller) -> None:
    """One that waited for its slot and was given another, for the first was forgotten, leaves that again."""
    keys = caller.deployment.keys
    await caller.redis.hset(keys.session(caller.session), mapping={"lane": 999, "worker": "w9", "state": "ready"})
    await caller.redis.sadd(keys.lane_sessions(999), caller.session)
    await caller.redis.expire(keys.lane_sessions(999), 60)

    async def is_back() -> bool:
        return SessionRecord.from_fields(await raw(caller)).lane == caller.lane

    await eventually(is_back)
    assert not await caller.redis.exists(keys.lane_sessions(999))
    assert caller.session in worker.sessions


async def test_a_session_that_is_over_by_its_record_ends(worker: Worker, caller: Caller) -> None:
    """What the reaper ended does not come back."""
    await caller.redis.hset(caller.deployment.keys.session(caller.session), "state", "ended")
    await caller.until("ended")
    await eventually(lambda: caller.session not in worker.sessions)
    assert not await has_slot(caller)


async def test_a_caller_who_is_attached_twice_hears_nothing_twice(worker: Worker, caller: Caller) -> None:
    """A gateway tells again when it seems that the worker did not hear it."""
    before = len(caller.events)
    await caller.send(Kind.ATTACH, {"inbox": caller.inbox, "sample_rate": caller.sample_rate})
    await caller.send(Kind.CLOSE, {})
    await caller.until("ended")
    assert [event["type"] for event in caller.events[before:]] == ["ended"]
