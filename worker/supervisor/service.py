"""Runs a supervisor for as long as its context is entered, with the connections and signals it needs."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from redis.exceptions import RedisError

from voicebackend._redis import connect
from voicebackend.settings import Deployment
from worker.announcement import withdraw
from worker.lease import Leases
from worker.settings import SupervisorSettings
from worker.supervisor.supervisor import Supervisor

logger = logging.getLogger(__name__)

FREE_TIMEOUT_S = 1.0
"""Longer makes no sense: the leases lapse by themselves."""


@asynccontextmanager
async def supervise(settings: SupervisorSettings, deployment: Deployment) -> AsyncIterator[Supervisor]:
    """Run worker processes; on leaving, they drain one after the other. SIGTERM or SIGINT then ends them at once.

    SIGHUP replaces them all by fresh ones, one after the other; from a terminal that closes it ends them.

    Raises:
        InvalidConfig: no worker can start with this configuration.

    """
    async with _freeing(deployment) as free:
        command = [sys.executable, "-m", "worker", "--processes", str(settings.processes)]
        supervisor = Supervisor(settings, command, free)
        async with asyncio.TaskGroup() as group:
            running = group.create_task(supervisor.run(), name="supervisor")
            _on_hangup(supervisor)
            try:
                yield supervisor
            finally:
                running.cancel()
                _on_second_signal(supervisor)
                await supervisor.stop()


@asynccontextmanager
async def _freeing(deployment: Deployment) -> AsyncIterator[Callable[[str], Awaitable[None]]]:
    """Give what frees the lanes of a worker that is gone, and takes its announcement back."""
    async with connect(deployment.state_url) as state, connect(deployment.audio_url) as audio:
        leases = Leases(state, audio, deployment.keys, f"supervisor-{os.getpid()}")

        async def free(worker: str) -> None:
            try:
                async with asyncio.timeout(FREE_TIMEOUT_S):
                    lanes = await leases.free(worker)
                    await withdraw(state, deployment.keys, worker)
            except (RedisError, OSError) as error:
                logger.warning("lanes not given free", extra={"worker": worker, "error": type(error).__name__})
            else:
                if lanes:
                    logger.warning("lanes given free", extra={"worker": worker, "lanes": lanes})

        yield free


def _on_hangup(supervisor: Supervisor) -> None:
    if not sys.stdin.isatty():
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, supervisor.renew)


def _on_second_signal(supervisor: Supervisor) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, supervisor.kill)
