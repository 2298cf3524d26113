"""Runs a worker for as long as its context is entered: ``python -m worker``, and the embedded library."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from redis.asyncio import Redis

from providers.engines.pool import share_threads
from voicebackend._redis import HOT_TIMEOUT_S, STATE_TIMEOUT_S, connect, redis_errors
from voicebackend._wire import Wire
from voicebackend.channel import Sender
from voicebackend.config import BackendConfig
from voicebackend.config_watch import ConfigWatch
from voicebackend.deployment_secret import token_secret
from voicebackend.publisher import Publisher, publisher_for
from voicebackend.settings import Deployment
from worker.engines import EnginePool
from worker.lease import ANSWER_S, Leases
from worker.load import Load
from worker.services import Services
from worker.settings import WorkerSettings
from worker.worker import Worker


@asynccontextmanager
async def serve(
    config: BackendConfig,
    deployment: Deployment,
    *,
    remote: Any = None,
    publisher: Publisher | None = None,
    settings: WorkerSettings | None = None,
) -> AsyncIterator[Worker]:
    """Run a worker that has leased its lanes; on leaving, its sessions end and everything is given back.

    Tasks go to ``publisher``, or to the one that the deployment wants; ``settings`` are else the environment's.

    Raises:
        InvalidConfig, ProviderNotFound: the configuration cannot be run here.
        ConnectionFailed: Redis is not there.

    """
    async with AsyncExitStack() as stack:
        settings = settings or WorkerSettings.from_env()
        share_threads(settings.engine_threads)
        worker, services = await _open(stack, config, deployment, settings, remote=remote, publisher=publisher)
        with redis_errors("worker"):
            await worker.start()
        # A loop that dies takes the process with it: better no worker than one that holds lanes and does not read them.
        async with asyncio.TaskGroup() as group:
            loops = [
                group.create_task(services.sender.run(), name="sender"),
                group.create_task(services.load.run(), name="load"),
                group.create_task(worker.run(), name="worker"),
            ]
            try:
                yield worker
            finally:
                await worker.stop()
                for task in loops:
                    task.cancel()


async def _open(
    stack: AsyncExitStack,
    config: BackendConfig,
    deployment: Deployment,
    settings: WorkerSettings,
    *,
    remote: Any,
    publisher: Publisher | None,
) -> tuple[Worker, Services]:
    """Make the connections, and the worker on them."""

    def client(url: str, **options: Any) -> Redis:
        redis = connect(url, **options)
        stack.push_async_callback(redis.aclose)
        return redis

    keys = deployment.keys
    state = client(deployment.state_url, timeout_s=STATE_TIMEOUT_S)
    audio = client(deployment.audio_url, timeout_s=STATE_TIMEOUT_S)
    with redis_errors("worker"):
        await state.ping()
        await audio.ping()
    publisher = publisher or publisher_for(deployment)
    stack.push_async_callback(publisher.aclose)
    services = Services(
        state=state,
        wire=Wire(state),
        audio=Wire(audio),
        sender=Sender(client(deployment.audio_url, timeout_s=HOT_TIMEOUT_S, max_connections=2)),
        publisher=publisher,
        engines=await stack.enter_async_context(EnginePool()),
        keys=keys,
        load=Load(),
        secret=await token_secret(state, deployment),
        remote=remote,
    )
    worker = Worker(
        ConfigWatch(state, keys, config),
        settings,
        services,
        Leases(client(deployment.state_url, timeout_s=ANSWER_S, max_connections=16), audio, keys, settings.id),
        audio=audio,
        reading=client(deployment.audio_url, timeout_s=None, max_connections=1),
    )
    return worker, services
