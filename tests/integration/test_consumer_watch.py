"""A real Celery worker whose consumer stops or whose connections are killed comes back to its tasks."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest
from celery_harness import celery_worker, eventually
from kombu import pools

from control.celery import make_app
from control.consumer_watch import STALL_S
from voicebackend._redis import connect_sync
from voicebackend.publisher import CeleryPublisher
from voicebackend.settings import Deployment
from voicebackend.tasks import RESTART, SESSIONS_EXPIRE

pytestmark = pytest.mark.integration

ARGUMENTS = ("-Q", "sessions", "-P", "threads", "-c", "2")


async def publish(deployment: Deployment, count: int = 1) -> None:
    """Queue tasks that do nothing worth mentioning."""
    publisher = CeleryPublisher(deployment)
    try:
        for _ in range(count):
            await publisher.publish(SESSIONS_EXPIRE)
    finally:
        await publisher.aclose()


@pytest.mark.parametrize("pool", ["threads", "prefork"])
async def test_a_worker_that_takes_no_tasks_ends_to_be_started_again(
    deployment: Deployment, tmp_path: Path, pool: str
) -> None:
    """Its consumer waits for nothing, its process lives and answers: it ends with the code that asks for a restart."""

    def stop_consuming() -> None:
        pools.reset()  # they belong to the process, and another test may have killed what waits in them
        app = make_app(deployment)
        app.control.cancel_consumer("sessions", reply=True, timeout=5)
        app.close()

    obeying = replace(deployment, remote_control=True)
    with celery_worker(obeying, tmp_path / "worker", "-Q", "sessions", "-P", pool, "-c", "2") as worker:
        await asyncio.to_thread(stop_consuming)
        await publish(deployment)
        code = await asyncio.to_thread(worker.process.wait, STALL_S + 25)

        assert code == RESTART
        assert any("takes no tasks" in line["message"] for line in worker.logged())
        assert await asyncio.to_thread(_waiting, deployment) == 1

    with celery_worker(deployment, tmp_path / "again", *ARGUMENTS):
        await asyncio.to_thread(eventually, lambda: _waiting(deployment) == 0)


async def test_killed_connections_cost_no_task(deployment: Deployment, tmp_path: Path) -> None:
    """Again and again all of a worker's connections are reset: whether it or its successor, tasks are taken."""
    with celery_worker(deployment, tmp_path / "worker", *ARGUMENTS) as worker:
        for _ in range(5):
            await asyncio.to_thread(_kill_connections, deployment)
            await publish(deployment, 3)
        deadline = time.monotonic() + 20
        while await asyncio.to_thread(_waiting, deployment) and worker.process.poll() is None:
            assert time.monotonic() < deadline, worker.logged()
            await asyncio.sleep(0.1)
        ended = worker.process.poll()

    assert ended in {None, RESTART}
    if ended == RESTART:
        with celery_worker(deployment, tmp_path / "again", *ARGUMENTS):
            await asyncio.to_thread(eventually, lambda: _waiting(deployment) == 0)


def _waiting(deployment: Deployment) -> int:
    """Return how many tasks nobody has taken."""
    with connect_sync(deployment.broker_url) as client:
        return int(client.llen("vb:sessions"))  # type: ignore[arg-type]  # the client's own types


def _kill_connections(deployment: Deployment) -> None:
    with connect_sync(deployment.broker_url) as client:
        client.client_kill_filter(_type="normal", skipme=True)
        client.client_kill_filter(_type="pubsub", skipme=True)
