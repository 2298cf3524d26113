"""What a worker writes down of everything that it could run."""

from __future__ import annotations

import json
from typing import Any

import pytest
from redis.asyncio import Redis
from worker_harness import ScriptedTasks, eventually

from control.http.listing import listed
from control.sessions.catalogues import Offers, read_catalogues
from control.sessions.workers import WorkerInfo, announced_workers
from voicebackend.config import BackendConfig
from voicebackend.settings import Deployment
from worker.service import serve

pytestmark = pytest.mark.integration
SMALL_BYTES = 8_000


async def test_everything_is_listed_once_and_not_with_every_sign_of_life(
    deployment: Deployment, redis: Redis, audio: Redis
) -> None:
    """Secrets are marked as such."""
    tasks = ScriptedTasks(audio, deployment, lambda turn, attempt: ["Yes."])
    config, keys = BackendConfig(provider="mock"), deployment.keys

    async def read() -> tuple[list[WorkerInfo], dict[str, Offers]]:
        workers = await announced_workers(redis, keys)
        return workers, await read_catalogues(redis, keys, workers)

    async def told() -> bool:
        workers, catalogues = await read()
        return any(worker.catalogue in catalogues for worker in workers)

    async with serve(config, deployment, publisher=tasks) as worker:
        await eventually(told, timeout_s=40)
        workers, catalogues = await read()
        raw: dict[bytes, bytes] = await redis.hgetall(keys.worker(worker.id))  # type: ignore[misc]  # async in this client
        assert sum(map(len, raw.values())) < SMALL_BYTES
        assert b"config_schema" not in raw[b"providers"]
        found = listed(workers, catalogues)
    names = {provider.name for provider in found.providers}
    assert {"mock", "local", "vapi"} <= names
    assert {("s2s", "vapi"), ("stt", "moonshine"), ("vad", "silero")} <= {(one.role, one.name) for one in found.engines}
    [vapi] = [provider for provider in found.providers if provider.name == "vapi"]
    assert _secret(vapi.config_schema["properties"]["api_key"])
    assert vapi.workers == 1
    assert json.dumps(found.model_dump())


def _secret(schema: dict[str, Any]) -> bool:
    return any(kind.get("writeOnly") and kind.get("format") == "password" for kind in schema["anyOf"])
