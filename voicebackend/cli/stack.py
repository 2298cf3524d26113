"""The development stack: Redis, control, worker, a Celery worker and beat as five real processes."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sys
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Self

import aiohttp

from voicebackend.embedded.processes import ManagedProcess, OnLine
from voicebackend.embedded.redis_server import RedisServer
from voicebackend.errors import ConnectionTimeout, PipelineError
from voicebackend.settings import Deployment
from voicebackend.tasks import RESTART, Queue

READY_S = 90.0
"""Seconds until every process must be ready; models take most of it."""
AGENT_THREADS = 128
"""Tasks that may run at once; most are agents that think.

One Celery worker takes every queue here. Production runs a worker for each kind of work, so that slow agents hold up
no session's start or end.
"""
_TAKES_TASKS = re.compile(r"celery@\S+ ready\.")
"""What a Celery worker logs once it consumes its queues."""
DEMO_AGENTS = "voicebackend.demo.agent"
_POLL_S = 0.1
_CELERY = "celery"
_WANTS_RESTART = frozenset({0, RESTART})
"""Exit codes of a Celery worker that has given up on itself: agents hang, or it takes no tasks."""
_REDIS_VARIABLES = ("VOICEBACKEND_REDIS_URL", "VOICEBACKEND_STATE_URL")


def free_port() -> int:
    """Return a TCP port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


def development_config(file: Path | None) -> dict[str, str]:
    """Return the variables of a development stack's configuration: a YAML file's, or the local engines."""
    if file is not None:
        return {"VOICEBACKEND_CONFIG": str(file.absolute())}
    default = {
        "VOICEBACKEND_PROVIDER": "local",
        "VOICEBACKEND_STT_PROVIDER": "moonshine",
        "VOICEBACKEND_TTS_PROVIDER": "hibari",
    }
    return {name: os.environ.get(name, value) for name, value in default.items()}


class Stack:
    """Five processes that start together, and end in reverse order. As a context manager it is up and ready."""

    def __init__(self, deployment: Deployment, config: Mapping[str, str], on_line: OnLine) -> None:
        agents = dict.fromkeys((*deployment.agents, DEMO_AGENTS))
        self._deployment, self._config, self._on_line = replace(deployment, agents=tuple(agents)), config, on_line
        self._env: dict[str, str] = {}
        self._takes_tasks = False
        self._stack = AsyncExitStack()
        self.processes: list[ManagedProcess] = []

    @property
    def url(self) -> str:
        """Where control listens."""
        return self._deployment.base_url

    async def __aenter__(self) -> Self:
        try:
            await self._start()
            await self._until_ready()
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def died(self) -> ManagedProcess:
        """Wait until one of the processes ends that did not ask to be started again, and return it."""
        while True:
            process = await self._first_to_end()
            if process.returncode not in _WANTS_RESTART or process.name != _CELERY:
                return process
            self.processes.remove(process)
            await self._run(_CELERY)

    async def _first_to_end(self) -> ManagedProcess:
        waiting = {asyncio.create_task(it.wait(), name=f"wait for {it.name}"): it for it in self.processes}
        try:
            done, _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            return waiting[done.pop()]
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)

    async def _start(self) -> None:
        deployment = self._deployment
        if not any(os.environ.get(name) for name in _REDIS_VARIABLES):
            redis = await self._stack.enter_async_context(RedisServer(self._on_line))
            self.processes.append(redis.process)
            deployment = deployment.with_redis(redis.url)
        self._env = {**os.environ, **deployment.to_env(), **self._config}
        for name in _commands():
            await self._run(name)

    async def _run(self, name: str) -> None:
        command = [sys.executable, "-m", *_commands()[name]]
        process = ManagedProcess(name, command, env=self._env, on_line=self._hear)
        self._stack.push_async_callback(process.stop)
        await process.start()
        self.processes.append(process)

    def _hear(self, name: str, line: str) -> None:
        self._takes_tasks |= name == _CELERY and bool(_TAKES_TASKS.search(line))
        self._on_line(name, line)

    async def _until_ready(self) -> None:
        """Wait until control says that a worker has room for sessions, and Celery that it takes tasks.

        Raises:
            PipelineError: a process ended.
            ConnectionTimeout: it takes too long.

        """
        deadline = time.monotonic() + READY_S
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as client:
            while time.monotonic() < deadline:
                for process in self.processes:
                    if process.returncode is not None:
                        raise ended(process)
                if self._takes_tasks and await _is_ready(client, f"{self.url}/readyz"):
                    return
                await asyncio.sleep(_POLL_S)
        raise ConnectionTimeout("up", f"the stack was not ready within {READY_S:g} s: see the log")


def ended(process: ManagedProcess) -> PipelineError:
    """Return the error that tells of a process's end, with its last lines."""
    last = "\n".join(process.tail)
    return PipelineError("up", f"{process.name} ended with code {process.returncode}; its last lines:\n{last}")


def _commands() -> dict[str, list[str]]:
    queues = ",".join(queue.value for queue in Queue)
    celery = ["celery", "-A", "control"]
    return {
        "control": ["control"],
        "worker": ["worker"],
        _CELERY: [*celery, "worker", "-P", "threads", "-c", str(AGENT_THREADS), "-Q", queues, "-l", "INFO"],
        "beat": [*celery, "beat", "-l", "INFO"],
    }


async def _is_ready(client: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with client.get(url) as response:
            return response.ok
    except (aiohttp.ClientError, TimeoutError):
        return False
