"""``python -m worker [--processes N]``: streaming workers under a supervisor, configured by the environment.

SIGTERM ends them cleanly: see ``supervisor/README.md``. ``--processes 0`` runs one worker without a supervisor.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # sessions share the cores: before numpy is imported

import argparse
import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

from voicebackend.config import BackendConfig
from voicebackend.errors import VoiceBackendError
from voicebackend.process import run
from voicebackend.settings import Deployment
from worker.settings import SupervisorSettings, WorkerSettings


def main(arguments: Sequence[str]) -> None:
    """Run a supervisor, or the one worker that the arguments ask for; exits as ``voicebackend.process.run`` does."""
    parser = argparse.ArgumentParser(prog="python -m worker", description="Run streaming workers.")
    parser.add_argument("--processes", type=int, metavar="N", help="worker processes; 0: one without a supervisor")
    # What a supervisor tells its children: the socket between them, and their name among workers.
    parser.add_argument("--supervised", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--id", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.supervised is not None:
        settings_of = partial(WorkerSettings.from_env, worker=given.id, processes=given.processes)
        run("worker", lambda config: _supervised(config, given.supervised, settings_of))
        return
    try:
        settings = SupervisorSettings.from_env(processes=given.processes)
    except VoiceBackendError as error:
        sys.exit(f"worker: {error}")
    if settings.processes:
        run("supervisor", _supervisor(settings))
    else:
        run("worker", _alone)


def _supervisor(settings: SupervisorSettings) -> Callable[[BackendConfig], AbstractAsyncContextManager[Any]]:
    from worker.supervisor.service import supervise

    return lambda _: supervise(settings, Deployment.from_env())


@asynccontextmanager
async def _alone(config: BackendConfig) -> AsyncIterator[None]:
    """Run a worker that ends itself where it is asked to: whatever started the process starts it again."""
    from worker.service import serve

    async with serve(config, Deployment.from_env()) as running:
        relief = asyncio.create_task(running.relieved.wait(), name="relief")
        relief.add_done_callback(_end)
        try:
            yield
        finally:
            relief.cancel()


def _end(relief: asyncio.Task[Any]) -> None:
    if not relief.cancelled():
        os.kill(os.getpid(), signal.SIGTERM)


@asynccontextmanager
async def _supervised(config: BackendConfig, fd: int, settings_of: Callable[[], WorkerSettings]) -> AsyncIterator[None]:
    """Run a worker that tells its supervisor how it is."""
    from worker.service import serve
    from worker.supervisor.heart import Heart

    async with Heart(fd) as heart:
        with heart.tells_hopeless():
            async with serve(config, Deployment.from_env(), settings=settings_of()) as running:
                heart.is_ready(lambda: running.sessions_started, running.relieved.is_set)
                yield


if __name__ == "__main__":
    main(sys.argv[1:])
