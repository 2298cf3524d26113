"""Workers that share lanes on a real Redis: taken over, handed over, evened out; calls go on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from redis.asyncio import Redis
from worker_harness import Caller, ScriptedTasks, eventually

from voicebackend.config import BackendConfig
from voicebackend.record import SessionRecord
from voicebackend.settings import Deployment
from voicebackend.streams import EntryId
from worker.lanes.checkpoints import Checkpoints
from worker.lease import Lease, Leases
from worker.service import serve
from worker.settings import WorkerSettings
from worker.worker import Worker

SPEECH = b"\x10\x20" * 3200
LANE = 7
Started = Callable[..., Awaitable[Worker]]
"""Starts a worker; it ends with the test, if not before."""


@pytest.fixture
async def tasks(audio: Redis, deployment: Deployment) -> ScriptedTasks:
    return ScriptedTasks(audio, deployment, lambda turn, attempt: ["Yes."])


@pytest.fixture
async def start(deployment: Deployment, tasks: ScriptedTasks) -> AsyncIterator[Started]:
    async with AsyncExitStack() as stack:

        async def start(own: AsyncExitStack | None = None, *, lanes: int = 1, slots: int = 8) -> Worker:
            config = BackendConfig(provider="mock", max_concurrent_sessions=slots)
            running = serve(config, deployment, publisher=tasks, settings=WorkerSettings(lanes=lanes))
            return await (own or stack).enter_async_context(running)

        yield start


@pytest.fixture
async def dead(deployment: Deployment, redis: Redis, audio: Redis) -> Lease:
    """Give the lease of a worker that is no more."""
    lease = await Leases(redis, audio, deployment.keys, "dead").claim(LANE)
    assert lease is not None
    return lease


async def calling(deployment: Deployment, redis: Redis, audio: Redis, worker: str, lane: int) -> Caller:
    """Return a caller who is attached to a session of this worker."""
    caller = Caller(deployment, redis, audio, lane)
    await caller.place(1, worker=worker)
    await caller.attach()
    return caller


async def record_of(caller: Caller) -> SessionRecord:
    """Return a session's record."""
    raw: Any = await caller.redis.hgetall(caller.deployment.keys.session(caller.session))
    return SessionRecord.from_fields(raw)


async def test_a_dead_workers_sessions_go_on_elsewhere(
    start: Started, dead: Lease, deployment: Deployment, redis: Redis, tasks: ScriptedTasks
) -> None:
    """Whoever holds nothing of them finds the lane, its sessions, and what was said to them."""
    await tasks.audio.xadd(deployment.keys.lane(LANE), {"b": b"\x01\x00\x00"})
    await tasks.audio.expire(deployment.keys.lane(LANE), 60)
    caller = await calling(deployment, redis, tasks.audio, "dead", LANE)
    worker = await start()
    await Leases(redis, tasks.audio, deployment.keys, "supervisor").free("dead")
    await eventually(lambda: LANE in worker.lanes and caller.session in worker.sessions)
    found = await record_of(caller)
    assert (found.worker, found.epoch) == (worker.id, worker.lanes[LANE].epoch)
    assert found.epoch > dead.epoch
    await caller.until("state", state="listening")
    tasks.lane = LANE
    await caller.speak(SPEECH)
    await caller.until("transcript", role="agent", final=True)
    await caller.close()


async def test_a_session_that_is_over_is_not_taken_over(
    start: Started, dead: Lease, deployment: Deployment, redis: Redis, audio: Redis
) -> None:
    """It leaves its slot, and a lane without sessions nobody needs."""
    over = Caller(deployment, redis, audio, LANE)
    await over.place(1, worker="dead", state="ended")
    worker = await start()
    await Leases(redis, audio, deployment.keys, "supervisor").free("dead")
    keys = deployment.keys
    await eventually(lambda: _is_empty(redis, keys.lane_sessions(LANE)))
    assert over.session not in worker.sessions


async def _is_empty(redis: Redis, key: str) -> bool:
    return not await redis.exists(key)


async def test_calls_move_to_another_worker_when_theirs_is_stopped(
    start: Started, deployment: Deployment, redis: Redis, audio: Redis, tasks: ScriptedTasks
) -> None:
    """A worker that is asked to end hands its lanes over; callers are told nothing."""
    async with AsyncExitStack() as leaving:
        before = await start(leaving)
        lane = min(before.lanes)
        caller = await calling(deployment, redis, audio, before.id, lane)
        await caller.until("state", state="listening")
        after = await start()
    await eventually(lambda: caller.session in after.sessions)
    assert not [event for event in caller.events if event["type"] == "ended"]
    tasks.lane = lane
    await caller.speak(SPEECH)
    await caller.until("transcript", role="agent", final=True)
    await caller.close()


async def test_a_worker_that_joins_is_given_lanes(
    start: Started, deployment: Deployment, redis: Redis, audio: Redis
) -> None:
    """The busier of two gives lanes until that would not even out any more."""
    first = await start(lanes=3)
    callers = [
        await calling(deployment, redis, audio, first.id, lane) for lane in sorted(first.lanes) for _ in range(2)
    ]
    await eventually(lambda: len(first.sessions) == 6)
    second = await start(lanes=3)
    await eventually(lambda: (len(first.sessions), len(second.sessions)) == (4, 2), timeout_s=15.0)
    assert first.sessions | second.sessions == {caller.session for caller in callers}
    assert not [event for caller in callers for event in caller.events if event["type"] == "ended"]
    for caller in callers:
        await caller.close()


async def test_a_session_that_brings_its_workers_down_is_ended_and_its_neighbours_go_on(
    start: Started, dead: Lease, deployment: Deployment, redis: Redis, tasks: ScriptedTasks
) -> None:
    """The one that was being restored when the last worker died is the suspect at the third takeover."""
    suspect, neighbour = Caller(deployment, redis, tasks.audio, LANE), Caller(deployment, redis, tasks.audio, LANE)
    for caller in (suspect, neighbour):
        await caller.place(1, worker="dead")
    store = Checkpoints(tasks.audio, deployment.keys)
    assert await store.write(LANE, dead.epoch, position=EntryId(), changed={})
    assert await store.taken_over(LANE, dead.epoch, 2)
    assert await store.suspect(LANE, dead.epoch, suspect.session)
    worker = await start()
    await Leases(redis, tasks.audio, deployment.keys, "supervisor").free("dead")
    await eventually(lambda: neighbour.session in worker.sessions)
    assert tasks.reports(suspect.session) == ["failed"]
    assert (await suspect.log())[-1] == {"type": "ended", "reason": "pipeline_error"}
    assert suspect.session not in worker.sessions
    await eventually(neighbour.is_ready)
