"""Stands in for API, streaming worker and lane around the tasks: what they write first, and what they read after."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from redis.asyncio import Redis

from control.context import TaskContext
from voicebackend import channel
from voicebackend._redis import connect
from voicebackend.config import BackendConfig, PipelineType
from voicebackend.keys import Keys
from voicebackend.record import LIVE_TTL_S, SessionRecord, decode_log
from voicebackend.session import SessionState, Transport
from voicebackend.settings import Deployment
from voicebackend.streams import Frame, Kind
from voicebackend.tasks import Task

LANE = 3
WORKER = "host-1-abc"
EPOCH = 7
LAST = {Kind.AGENT_DONE, Kind.AGENT_FAILED}


class RecordingPublisher:
    """Remembers what was published."""

    def __init__(self) -> None:
        self.published: list[tuple[str, dict[str, Any]]] = []

    async def publish(self, task: Task, **arguments: Any) -> None:
        """Remember a task."""
        self.published.append((task.name, arguments))

    async def aclose(self) -> None:
        """Nothing to release."""


@asynccontextmanager
async def task_context(deployment: Deployment, **config: Any) -> AsyncIterator[TaskContext]:
    """Give what tasks work with, for use on the test's own event loop."""
    shared = TaskContext(deployment, BackendConfig(provider="mock", **config))
    await shared.publisher.aclose()
    shared.publisher = RecordingPublisher()
    try:
        yield shared
    finally:
        await shared.aclose()


def a_record(number: int = 1, **changes: Any) -> SessionRecord:
    """Return a record as the API writes it."""
    values: dict[str, Any] = {
        "id": f"{number:032x}",
        "tenant": "default",
        "user_id": "ada",
        "provider": "mock",
        "transport": Transport.WEBSOCKET,
        "pipeline_type": PipelineType.STT_TTS,
        "created_at": time.time(),
        "metadata": {"caller": "Ada"},
    }
    return SessionRecord(**{**values, **changes})


def a_placed_record(number: int = 1, **changes: Any) -> SessionRecord:
    """Return a record of a session that a worker runs."""
    placed = {"state": SessionState.ACTIVE, "lane": LANE, "worker": WORKER, "epoch": EPOCH}
    return a_record(number, **{**placed, **changes})


async def announce(redis: Redis, keys: Keys, worker: str, lanes: Mapping[int, int], **fields: Any) -> None:
    """Announce a worker that holds these lanes, each with its cap, as streaming workers do."""
    announcement: dict[str, Any] = {
        "id": worker,
        "slots_total": 10,
        "slots_free": 10,
        "lanes": json.dumps({str(lane): cap for lane, cap in lanes.items()}),
        "providers": json.dumps({"mock": {"capabilities": {}}}),
        "provider": "mock",
        "draining": "0",
        "config_version": 0,
        "seen_ms": round(time.time() * 1000),
    }
    merged: dict[Any, Any] = announcement | fields
    await redis.hset(keys.worker(worker), mapping=merged)
    await redis.expire(keys.worker(worker), 60)
    await redis.zadd(keys.workers(), {worker: time.time()})
    await redis.expire(keys.workers(), 60)
    for lane in lanes:
        await hold_lane(redis, keys, lane, worker)


async def hold_lane(redis: Redis, keys: Keys, lane: int, worker: str = WORKER, epoch: int = EPOCH) -> None:
    """Hold the lease of a lane for a minute."""
    await redis.set(keys.lease(lane), f"{worker}:{epoch}", ex=60)
    await redis.sadd(keys.worker_lanes(worker), lane)
    await redis.expire(keys.worker_lanes(worker), 60)


async def fill_lane(redis: Redis, keys: Keys, lane: int, *sessions: str) -> None:
    """Give sessions their slots in a lane."""
    await redis.sadd(keys.lane_sessions(lane), *sessions)
    await redis.expire(keys.lane_sessions(lane), LIVE_TTL_S)


async def say(shared: TaskContext, session: str, turn: int, text: str, role: str = "user", **extra: Any) -> None:
    """Append to the log what was said."""
    entry = {"type": "transcript", "role": role, "text": text, "final": True, "turn": turn, **extra}
    await shared.store.append_log(session, entry)


async def log_of(redis: Redis, keys: Keys, session: str) -> list[dict[str, Any]]:
    """Return a session's log."""
    entries: Any = await redis.xrange(keys.session_log(session))
    return [decode_log(fields) for _, fields in entries]


def published(shared: TaskContext) -> list[tuple[str, dict[str, Any]]]:
    """Return the tasks that were published."""
    return cast(RecordingPublisher, shared.publisher).published


async def placed(shared: TaskContext, **changes: Any) -> SessionRecord:
    """Write a session that a worker has, with its slot, in a lane that the worker holds."""
    record = a_placed_record(**changes)
    await shared.store.create(record)
    await hold_lane(shared.state, shared.keys, LANE)
    await fill_lane(shared.state, shared.keys, LANE, record.id)
    return record


async def slots(shared: TaskContext) -> int:
    """Return how many sessions the lane has."""
    return int(await shared.state.scard(shared.keys.lane_sessions(LANE)))


async def last_log(shared: TaskContext, record: SessionRecord, count: int = 2) -> list[dict[str, Any]]:
    """Return the log's last entries."""
    return (await log_of(shared.state, shared.keys, record.id))[-count:]


async def comes_true(check: Callable[[], Awaitable[bool]], timeout_s: float = 20) -> None:
    """Return once what another process does has come to hold."""
    async with asyncio.timeout(timeout_s):
        while not await check():  # noqa: ASYNC110 - no event reaches across processes
            await asyncio.sleep(0.02)


class LaneReader:
    """Reads a lane as its holder does."""

    def __init__(self, redis: Redis, stream: str, after: bytes) -> None:
        self._reader = channel.Reader(redis)
        self._reader.add(stream, after)
        self._waiting: list[Frame] = []

    async def until(self, *kinds: Kind, timeout_s: float = 20) -> list[Frame]:
        """Return the frames up to and with the first of one of these kinds."""
        found: list[Frame] = []
        async with asyncio.timeout(timeout_s):
            while True:
                while self._waiting:
                    found.append(self._waiting.pop(0))
                    if found[-1].kind in kinds:
                        return found
                self._waiting += await self._reader.frames()

    async def answer(self) -> list[Frame]:
        """Return an agent's frames up to its last."""
        return await self.until(*LAST)


@asynccontextmanager
async def lane_reader(deployment: Deployment, lane: int = LANE) -> AsyncIterator[LaneReader]:
    """Own a lane and read it."""
    async with connect(deployment.audio_url, timeout_s=None) as redis:
        stream = deployment.keys.lane(lane)
        yield LaneReader(redis, stream, await channel.create(redis, stream))


def texts_of(frames: Sequence[Frame]) -> list[str]:
    """Return the text of the deltas among frames."""
    return [frame.payload.decode() for frame in frames if frame.kind is Kind.AGENT_DELTA]
