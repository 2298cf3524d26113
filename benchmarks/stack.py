"""A deployment on this machine: Redis, control, streaming workers and a Celery worker as processes of their own."""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from voicebackend.cli.stack import AGENT_THREADS, free_port
from voicebackend.embedded.processes import ManagedProcess
from voicebackend.embedded.redis_server import RedisServer
from voicebackend.settings import Deployment
from voicebackend.tasks import Queue

READY_S = 60.0
_POLL_S = 0.1
_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A deployment that takes sessions."""

    url: str
    api_key: str
    redis_url: str
    pids: Mapping[str, int]
    """Of every process, by name."""


@asynccontextmanager
async def running(
    config: Mapping[str, Any],
    *,
    workers: int,
    log: Path | None,
    environment: Mapping[str, str] | None = None,
    apart: Collection[Queue] = (),
) -> AsyncIterator[Running]:
    """Run a deployment with this configuration; its processes log at WARNING, into ``log`` if there is one.

    Tasks of the queues ``apart`` are run by a Celery worker of their own, one at a time: ``celery-apart``.
    """
    async with RedisServer() as redis:
        key = secrets.token_urlsafe(32)
        deployment = Deployment(
            port=free_port(),
            api_keys={key: "default"},
            token_secret=secrets.token_hex(32),
            agents=("benchmarks.agents",),
        ).with_redis(redis.url)
        processes = [redis.process]
        with tempfile.TemporaryDirectory() as folder, _Log(log) as lines:
            env = {**_environment(deployment, config, Path(folder)), **(environment or {})}
            try:
                for name, module in _commands(workers, apart).items():
                    process = ManagedProcess(name, [sys.executable, "-m", *module], env=env, on_line=lines.take)
                    processes.append(process)
                    await process.start()
                await _until_ready(deployment.base_url, processes)
                pids = {process.name: process.pid or 0 for process in processes}
                yield Running(url=deployment.base_url, api_key=key, redis_url=redis.url, pids=pids)
            finally:
                for process in reversed(processes[1:]):
                    await process.stop()


class _Log:
    """Where the processes' lines go."""

    def __init__(self, path: Path | None) -> None:
        self._file = open(path or os.devnull, "a", encoding="utf-8")  # noqa: SIM115, PTH123 - closed by __exit__

    def __enter__(self) -> _Log:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def take(self, name: str, line: str) -> None:
        """Write a line down."""
        self._file.write(f"{name}: {line}\n")


def _commands(workers: int, apart: Collection[Queue]) -> dict[str, list[str]]:
    streaming = {f"worker-{number}": ["worker"] for number in range(1, workers + 1)}
    celery = {"celery": _celery([queue for queue in Queue if queue not in apart], AGENT_THREADS)}
    if apart:
        celery["celery-apart"] = _celery(apart, 1)
    return {"control": ["control"], **streaming, **celery}


def _celery(queues: Collection[Queue], threads: int) -> list[str]:
    names = ",".join(queue.value for queue in queues)
    return ["celery", "-A", "control", "worker", "-P", "threads", "-c", str(threads), "-Q", names]


def _environment(deployment: Deployment, config: Mapping[str, Any], folder: Path) -> dict[str, str]:
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(dict(config)), encoding="utf-8")
    ours = {name: value for name, value in os.environ.items() if not name.startswith("VOICEBACKEND_")}
    return {
        **ours,
        **deployment.to_env(),
        "VOICEBACKEND_CONFIG": str(path),
        "VOICEBACKEND_LOG_LEVEL": "WARNING",
        "PYTHONPATH": str(_ROOT),
        "OPENBLAS_NUM_THREADS": "1",
        "VOICEBACKEND_PROCESSES": "0",  # what is counted is the process that is started
    }


async def _until_ready(url: str, processes: list[ManagedProcess]) -> None:
    """Wait until control says that a worker has room; raises RuntimeError if a process ends or it takes too long."""
    async with asyncio.timeout(READY_S), aiohttp.ClientSession() as client:
        while True:
            for process in processes:
                if process.returncode is not None:
                    raise RuntimeError(f"{process.name} ended:\n" + "\n".join(process.tail))
            try:
                async with client.get(f"{url}/readyz") as response:
                    if response.ok:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(_POLL_S)
