"""What must not happen to a worker: its calls mixed up, flooded, or held up by one of them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis
from worker_harness import Caller, ScriptedTasks, eventually

from voicebackend.config import BackendConfig
from voicebackend.settings import Deployment
from voicebackend.streams import Frame, Kind
from worker.service import serve
from worker.worker import Worker

SPEECH = b"\x10\x20" * 3200


@pytest.fixture
async def tasks(audio: Redis, deployment: Deployment) -> ScriptedTasks:
    return ScriptedTasks(audio, deployment, lambda turn, attempt: ["Yes."])


@pytest.fixture
async def worker(deployment: Deployment, tasks: ScriptedTasks) -> AsyncIterator[Worker]:
    config = BackendConfig(provider="mock", max_concurrent_sessions=8, provider_config={"seconds_per_character": 0.03})
    async with serve(config, deployment, publisher=tasks) as running:
        tasks.lane = min(running.lanes)
        yield running


@pytest.fixture
async def caller(worker: Worker, deployment: Deployment, redis: Redis, audio: Redis) -> AsyncIterator[Caller]:
    caller = Caller(deployment, redis, audio, min(worker.lanes))
    await caller.place(worker.lanes[caller.lane].epoch, worker=worker.id)
    await caller.attach()
    await caller.until("state", state="listening")
    yield caller
    await caller.close()


async def test_a_frame_of_a_replaced_socket_does_not_make_the_caller_deaf(caller: Caller) -> None:
    """A late packet with a high number from the old socket is not taken for news of the new one."""
    caller.attachment = 2
    await caller.send(Kind.ATTACH, {"inbox": caller.inbox, "sample_rate": 16_000})
    await eventually(lambda: caller.frames[-1].attachment == 2)
    late = Frame(session=caller.session, kind=Kind.AUDIO_IN, payload=SPEECH[:640], seq=2000, attachment=1)
    await caller.write(late)
    await caller.speak(SPEECH)
    await caller.until("transcript", role="agent", final=True)
    assert {frame.attachment for frame in caller.frames[-5:]} == {2}


async def test_a_session_placed_with_another_worker_is_not_run_here(
    worker: Worker, deployment: Deployment, redis: Redis, audio: Redis, tasks: ScriptedTasks
) -> None:
    """The frame is a hint; the record counts."""
    stray = Caller(deployment, redis, audio, min(worker.lanes))
    await stray.place(1, worker="another")
    mine = Caller(deployment, redis, audio, min(worker.lanes))
    await mine.place(1, worker=worker.id)
    await eventually(mine.is_ready)
    assert worker.sessions == {mine.session}


async def test_text_that_does_not_fit_a_frame_costs_nothing_but_itself(caller: Caller, tasks: ScriptedTasks) -> None:
    """An answer of control characters grows sixfold as JSON; the worker and the session go on."""
    tasks.script = lambda turn, attempt: ["\x01" * 280 + "ab. "] * 60
    await caller.speak(SPEECH)
    await caller.until("audio_start", turn=1)
    await caller.speak(SPEECH * 3)
    await caller.until("clear", turn=1)
    tasks.script = lambda turn, attempt: ["Yes."]
    await caller.until("transcript", role="user", final=True, turn=2)
    await caller.until("audio_end", turn=2)


async def test_a_new_limit_reaches_the_lanes_that_are_held(
    worker: Worker, redis: Redis, deployment: Deployment
) -> None:
    """Caps follow an update of the configuration, exactly."""
    assert sum(lane.cap for lane in worker.lanes.values()) == 8
    update = {"version": "1", "config": '{"max_concurrent_sessions": 21}'}
    await redis.hset(deployment.keys.config(), mapping=update)  # type: ignore[arg-type]
    await eventually(lambda: sum(lane.cap for lane in worker.lanes.values()) == 21)


async def test_a_lane_that_redis_lost_is_held_again(
    worker: Worker, redis: Redis, audio: Redis, deployment: Deployment, tasks: ScriptedTasks
) -> None:
    """After a Redis that forgot the stream, sessions are started in it again."""
    lane = min(worker.lanes)
    await audio.delete(deployment.keys.lane(lane))
    await eventually(lambda: audio.exists(deployment.keys.lane(lane)))
    caller = Caller(deployment, redis, audio, lane)
    await caller.place(1, worker=worker.id)
    await eventually(caller.is_ready)
