"""A sweep of 5,000 objects while its Celery workers are killed 20 times, and Redis once: none lost, none twice."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from environment import environment
from process import serving
from redis.asyncio import Redis
from redis_servers import RedisProcess

from control.records.cabinet import Cabinet
from control.records.entry import Entry
from control.records.index import Fate
from control.records.seal import first_broken, receipts, seal
from control.records.writer import write
from voicebackend._redis import connect
from voicebackend.embedded.processes import ManagedProcess
from voicebackend.errors import VoiceBackendError
from voicebackend.publisher import publisher_for
from voicebackend.settings import Deployment
from voicebackend.tasks import RETENTION_SWEEP

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(600),
    pytest.mark.flaky(reruns=0),  # what is lost once in a while is lost
]

OBJECTS, HELD, KILLS = 5_000, 250, 20
RATE = 25.0
"""Objects a second for each sweep: slow enough that every kill hits one."""
DONE_S = 180.0
START_S = 60.0
MOTO = ("moto[server]==5.2.5", "boto3")
CELERY = [sys.executable, "-m", "celery", "-A", "control", "worker", "-P", "threads", "-c", "1", "-Q", "retention"]


class Workers:
    """Two Celery workers; one that is killed is started again, as under a supervisor."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._running: list[ManagedProcess] = []
        self._retired: list[ManagedProcess] = []

    async def start(self) -> None:
        """Start one more."""
        env = {**os.environ, **self._deployment.to_env(), "VOICEBACKEND_PROVIDER": "mock"}
        ready = asyncio.Event()
        process = ManagedProcess("celery", CELERY, env=env, on_line=lambda _, line: _note(line, ready))
        await process.start()
        self._running.append(process)
        async with asyncio.timeout(START_S):
            await ready.wait()

    async def kill_one(self) -> None:
        """Start another, and kill the elder in the midst of a sweep."""
        await self.start()
        process = self._running.pop(0)
        assert process.pid is not None
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
        self._retired.append(process)

    async def stop(self) -> None:
        """End all."""
        for process in [*self._running, *self._retired]:
            await process.stop()


def _note(line: str, ready: asyncio.Event) -> None:
    if " ready" in line:
        ready.set()


@asynccontextmanager
async def s3() -> AsyncIterator[dict[str, str]]:
    """Give the settings of a bucket on a server that speaks S3."""
    python = await asyncio.to_thread(environment, "moto", MOTO)
    async with serving(python, "moto_server.py", "records") as port:
        yield {
            "AWS_ENDPOINT": f"http://127.0.0.1:{port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
        }


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.peers)])
async def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """Give the URL of an empty store."""
    if request.param == "folder":
        yield f"file://{tmp_path}/records"
        return
    async with s3() as settings:
        for name, value in settings.items():
            monkeypatch.setenv(name, value)
        yield "s3://records/calls"


@pytest.fixture
async def kept(tmp_path: Path, store: str) -> AsyncIterator[tuple[Deployment, RedisProcess, Redis, Cabinet]]:
    """Give a deployment with an empty store, and a Redis that keeps an append-only file as most do."""
    settings = {
        "store": store,
        "subject_key": "k" * 40,
        "sweep_rate": RATE,
        "policies": [{"id": "all", "class": "transcript", "ttl": 1}],
    }
    (tmp_path / "retention.yaml").write_text(yaml.safe_dump(settings))
    server = RedisProcess(tmp_path / "redis", "--appendonly", "yes", "--appendfsync", "everysec")
    server.start()
    deployment = replace(Deployment(), retention=tmp_path / "retention.yaml").with_redis(server.url)
    client = connect(server.url)
    try:
        yield deployment, server, client, Cabinet.open(tmp_path / "retention.yaml", client, deployment.keys)
    finally:
        await client.aclose()
        server.kill()


async def fill(cabinet: Cabinet) -> set[str]:
    """Write objects that are due; return the paths of those that are held."""
    held: set[str] = set()
    gate = asyncio.Semaphore(32)

    async def one(number: int) -> None:
        session = secrets.token_hex(16)
        path = f"t/transcript/2026/11/23/{session}/transcript.json"
        about = {"path": path, "tenant": "t", "data_class": "transcript", "session": session}
        entry = Entry(id=secrets.token_hex(16), due=time.time() - 1, policy="all", **about)  # type: ignore[arg-type]
        async with gate:
            assert await write(cabinet.index, cabinet.objects, entry, b"{}")
            if number < HELD:
                _, found = await cabinet.holds.place("t", f"session:{session}", reason="lawsuit", by="test")
                assert found[Fate.HELD] == 1
                held.add(path)

    await asyncio.gather(*(one(number) for number in range(OBJECTS)))
    return held


async def objects_of(cabinet: Cabinet) -> set[str]:
    """Return the paths of all objects."""
    return {path async for path, _ in cabinet.objects.list() if path.endswith(".json")}


async def publish(deployment: Deployment) -> None:
    """Have sweeps done as beat would, more often; until cancelled."""
    publisher = publisher_for(deployment)
    try:
        while True:
            with suppress(VoiceBackendError):
                await publisher.publish(RETENTION_SWEEP)
            await asyncio.sleep(0.5)
    finally:
        await publisher.aclose()


async def strike(workers: Workers, server: RedisProcess) -> None:
    """Kill workers at random moments, and Redis between two of them."""
    moments = random.Random(7)  # noqa: S311 - a test's, and the same each time
    for number in range(KILLS):
        await asyncio.sleep(moments.uniform(0.0, 0.5))
        await workers.kill_one()
        if number == KILLS // 2:
            server.kill()
            await asyncio.to_thread(server.start)


async def test_a_sweep_that_is_killed_20_times_deletes_all_and_nothing_twice(
    kept: tuple[Deployment, RedisProcess, Redis, Cabinet],
) -> None:
    """What is held stays; every other object is gone, with one receipt; the chain is whole."""
    deployment, server, redis, cabinet = kept
    held = await fill(cabinet)
    workers = Workers(deployment)
    for _ in range(2):
        await workers.start()
    publishing = asyncio.create_task(publish(deployment), name="publishing sweeps")
    try:
        await strike(workers, server)
        gone_meanwhile = OBJECTS - len(await objects_of(cabinet))
        async with asyncio.timeout(DONE_S):
            while await redis.zcard(deployment.keys.records_due()):  # noqa: ASYNC110 - Redis tells nobody
                await asyncio.sleep(0.2)
    finally:
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)
        await workers.stop()
    assert KILLS < gone_meanwhile < OBJECTS - HELD  # there was a sweep to hit, to the last kill
    assert await objects_of(cabinet) == held
    chain = await receipts(redis, deployment.keys, cabinet.objects)
    assert len({receipt.id for receipt in chain}) == len(chain) == OBJECTS - HELD
    head = await cabinet.index.head()
    assert await first_broken(redis, deployment.keys, cabinet.objects, head) is None
    assert await seal(redis, deployment.keys, cabinet.objects) == len(chain)
    assert await first_broken(redis, deployment.keys, cabinet.objects, head) is None
    assert await redis.xlen(deployment.keys.receipts()) == 0
