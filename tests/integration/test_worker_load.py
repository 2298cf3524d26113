"""What a worker announces of its load."""

from __future__ import annotations

import time

import pytest
from redis.asyncio import Redis
from supervisor_harness import call_into
from worker_harness import ScriptedTasks, eventually

from voicebackend.config import BackendConfig
from voicebackend.settings import Deployment
from worker.service import serve

pytestmark = pytest.mark.integration


async def test_a_worker_whose_event_loop_lags_takes_no_new_sessions(
    deployment: Deployment, redis: Redis, audio: Redis
) -> None:
    """It says so, and takes them again once the lag is out of its window."""
    tasks = ScriptedTasks(audio, deployment, lambda turn, attempt: ["Yes."])
    async with serve(BackendConfig(provider="mock"), deployment, publisher=tasks) as worker:
        key = deployment.keys.worker(worker.id)

        async def announced(admitting: bytes) -> bool:
            return await redis.hget(key, "admitting") == admitting  # type: ignore[misc]  # async in this client

        caller = await call_into(worker.id, deployment, redis, audio)
        await eventually(lambda: announced(b"1"), timeout_s=20)
        time.sleep(0.8)  # noqa: ASYNC251 - what is tested: hooks and models that block
        await eventually(lambda: announced(b"0"))
        found = await redis.hgetall(key)  # type: ignore[misc]  # async in this client
        assert float(found[b"lag_ms"]) > 50
        assert float(found[b"cpu"]) >= 0
        assert float(found[b"rss_mb"]) > 1
        await eventually(lambda: announced(b"1"), timeout_s=20)
        await caller.close()
