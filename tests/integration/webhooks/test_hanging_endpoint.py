"""An endpoint that never answers, with a Celery worker of its own: other tenants are told as if it were not there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest
from celery_harness import CeleryProcess, celery_worker
from task_harness import task_context
from webhook_receiver import receiving

from control.context import TaskContext
from control.outbox.deliveries import OF_ENDPOINT
from control.outbox.endpoints import Endpoints
from voicebackend.publisher import CeleryPublisher
from voicebackend.settings import Deployment
from voicebackend.webhooks import EventType

pytestmark = [pytest.mark.integration, pytest.mark.timeout(200)]

HANGING, TOLD = 240, 20
"""Events of either tenant. The first would keep 16 threads for a minute and a quarter."""
COMES_S = 25.0


@pytest.fixture
def deployment(deployment: Deployment) -> Deployment:
    """Give a deployment that may ask this machine."""
    return replace(deployment, private_webhooks=True)


@pytest.fixture
def celery(deployment: Deployment, tmp_path: Path) -> Iterator[CeleryProcess]:
    """Run the worker of webhooks as a deployment does."""
    with celery_worker(deployment, tmp_path / "celery", "-Q", "webhooks", "-P", "threads", "-c", "16") as worker:
        yield worker


@pytest.fixture
async def shared(deployment: Deployment) -> AsyncIterator[TaskContext]:
    """Give what tasks work with, and have it publish."""
    async with task_context(deployment) as context:
        context.publisher = CeleryPublisher(deployment)
        yield context


class Tarpit:
    """Takes connections and says nothing."""

    def __init__(self) -> None:
        self.most = 0
        self.asked = asyncio.Event()
        self._open: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Wait until whoever asks has had enough."""
        self._open.add(writer)
        self.most = max(self.most, len(self._open))
        self.asked.set()
        while await reader.read(4096):
            pass
        self._open.discard(writer)
        await closed(writer)

    async def close(self) -> None:
        """Let everybody go."""
        await asyncio.gather(*map(closed, self._open))


async def closed(writer: asyncio.StreamWriter) -> None:
    """Close a connection."""
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


@asynccontextmanager
async def hanging() -> AsyncIterator[tuple[Tarpit, str]]:
    """Run an endpoint that hangs on a free port of this machine."""
    tarpit = Tarpit()
    async with await asyncio.start_server(tarpit.serve, "127.0.0.1") as server:
        yield tarpit, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        await tarpit.close()


@pytest.mark.usefixtures("celery")
async def test_one_tenants_endpoint_that_hangs_keeps_no_others_waiting(shared: TaskContext) -> None:
    """However much is on its way there; it never has more than its share of tries."""
    endpoints = Endpoints(shared.state, shared.deployment)
    async with hanging() as (tarpit, url), receiving() as receiver:
        await endpoints.add("slow", url, [])
        _, receiver.secret = await endpoints.add("quick", receiver.url, [])
        for number in range(HANGING):
            await shared.outbox.put(EventType.SESSION_ENDED, tenant="slow", session=f"{number:032x}")
        await asyncio.wait_for(tarpit.asked.wait(), COMES_S)
        for number in range(TOLD):
            await shared.outbox.put(EventType.SESSION_ENDED, tenant="quick", session=f"{number:032x}")
        await receiver.until_all(TOLD, COMES_S)
    assert receiver.requests == TOLD
    assert tarpit.most <= OF_ENDPOINT
