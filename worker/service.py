"""Runs a worker for as long as its context is entered: ``python -m worker``, and the embedded library."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from voicebackend._redis import HOT_TIMEOUT_S, connect, redis_errors
from voicebackend.channel import Sender
from voicebackend.config import BackendConfig
from voicebackend.config_watch import ConfigWatch
from voicebackend.publisher import Publisher, publisher_for
from voicebackend.settings import Deployment
from worker.engines import EnginePool
from worker.lease import Leases
from worker.services import Services
from worker.settings import WorkerSettings
from worker.worker import Worker


@asynccontextmanager
async def serve(
    config: BackendConfig, deployment: Deployment, *, remote: Any = None, publisher: Publisher | None = None
) -> AsyncIterator[Worker]:
    """Run a worker that has leased its lanes; on leaving, its sessions end and everything is given back.

    Tasks go to ``publisher``, or to the one that the deployment wants.

    Raises:
        InvalidConfig, ProviderNotFound: the configuration cannot be run here.
        ConnectionFailed: Redis is not there.

    """
    settings, keys = WorkerSettings.from_env(), deployment.keys
    async with AsyncExitStack() as stack:
        state, audio, hot, reading = (
            connect(deployment.state_url),
            connect(deployment.audio_url),
            connect(deployment.audio_url, timeout_s=HOT_TIMEOUT_S, max_connections=2),
            connect(deployment.audio_url, timeout_s=None, max_connections=1),
        )
        for client in (state, audio, hot, reading):
            stack.push_async_callback(client.aclose)
        with redis_errors("worker"):
            await state.ping()
            await audio.ping()
        publisher = publisher or publisher_for(deployment)
        stack.push_async_callback(publisher.aclose)
        engines = await stack.enter_async_context(EnginePool())
        services = Services(
            state=state, sender=Sender(hot), publisher=publisher, engines=engines, keys=keys, remote=remote
        )
        worker = Worker(
            ConfigWatch(state, keys, config),
            settings,
            services,
            Leases(state, audio, keys, settings.id),
            audio=audio,
            reading=reading,
        )
        with redis_errors("worker"):
            await worker.start()
        tasks = [
            asyncio.create_task(services.sender.run(), name="sender"),
            asyncio.create_task(worker.run(), name="worker"),
        ]
        try:
            yield worker
        finally:
            await worker.stop()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
