"""A deployment whose processes can be killed: Redis, control, streaming workers and a Celery worker."""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from redis_roles import redis_roles

from voicebackend.cli.stack import free_port
from voicebackend.embedded.processes import ManagedProcess
from voicebackend.settings import Deployment
from voicebackend.tasks import Queue

HELPERS = Path(__file__).parent
WORKER = ("worker", "--processes", "0")
"""Without a supervisor: a signal reaches the process that holds the calls."""
READY_S = 60.0
_POLL_S = 0.05


def celery(*queues: Queue) -> list[str]:
    """Return the module and arguments of a Celery worker of some queues."""
    named = ",".join(queue.value for queue in queues)
    return ["celery", "-A", "control", "worker", "-P", "threads", "-c", "32", "-Q", named]


CELERY = celery(*Queue)


class Site:
    """Processes by name; ``log`` has what they printed."""

    def __init__(self, deployment: Deployment, env: Mapping[str, str]) -> None:
        self._deployment, self._env = deployment, env
        self.api_key = next(iter(deployment.api_keys))
        self.processes: dict[str, ManagedProcess] = {}
        self.log: list[tuple[str, str]] = []
        self.retired: list[ManagedProcess] = []
        """Those that have ended, or are about to."""

    @property
    def url(self) -> str:
        """Where control listens."""
        return self._deployment.base_url

    async def start(self, name: str, *module: str, **environment: str) -> None:
        """Run ``python -m module`` under this name."""
        command, env = [sys.executable, "-m", *module], {**self._env, **environment}
        process = ManagedProcess(name, command, env=env, on_line=lambda who, line: self.log.append((who, line)))
        self.processes[name] = process
        await process.start()

    def signal(self, name: str, number: int) -> None:
        """Send a signal."""
        pid = self.processes[name].pid
        assert pid is not None
        os.kill(pid, number)

    async def kill(self, name: str) -> None:
        """End it at once, without a word."""
        self.signal(name, 9)
        process = self.processes.pop(name)
        await process.wait()
        self.retired.append(process)

    async def stop(self) -> None:
        """End everything."""
        for process in [*reversed(self.processes.values()), *self.retired]:
            await process.stop()

    async def until_ready(self, workers: int) -> None:
        """Wait until so many streaming workers are announced, and Celery takes tasks."""
        async with asyncio.timeout(READY_S), aiohttp.ClientSession() as http:
            while not (await self._workers(http) >= workers and self._is_served()):
                for process in self.processes.values():
                    assert process.returncode is None, "\n".join(process.tail)
                await asyncio.sleep(_POLL_S)

    def said(self, name: str, pattern: str) -> bool:
        """Tell whether a process printed a line like this."""
        return any(who == name and re.search(pattern, line) for who, line in self.log)

    def _is_served(self) -> bool:
        return self.said("control", "control serves") and self.said("celery", r"celery@\S+ ready")

    async def sessions_on(self, name: str) -> set[str]:
        """Return the live sessions whose records name this worker."""
        lines = [json.loads(line) for who, line in self.log if who == name and '"worker ready"' in line]
        headers = {"Authorization": f"Bearer {self.api_key}"}
        async with aiohttp.ClientSession(headers=headers) as http, http.get(f"{self.url}/v1/sessions") as response:
            sessions = (await response.json())["sessions"]
        live = {"starting", "ready", "active"}
        workers = {line["worker"] for line in lines}
        return {one["id"] for one in sessions if one["state"] in live and one["worker"] in workers}

    def ports(self) -> dict[str, int]:
        """Return where processes serve their figures."""
        lines = [(who, json.loads(line)) for who, line in self.log if '"metrics served"' in line]
        return {who: int(line["port"]) for who, line in lines}

    async def _workers(self, http: aiohttp.ClientSession) -> int:
        return sum(1 for name in self.processes if name.startswith("worker") and self.said(name, "worker ready"))


@asynccontextmanager
async def site(
    config: Mapping[str, Any],
    *,
    workers: int,
    environment: Mapping[str, str] | None = None,
    redis: Mapping[str, str] | None = None,
    control: str = "control",
    apart: Collection[Queue] = (),
) -> AsyncIterator[Site]:
    """Run a deployment with so many workers; agents are those of ``chaos_agents``.

    ``redis`` gives ``state_url``, ``audio_url`` and ``broker_url`` of servers that run; else it has some to itself.
    ``control`` is a module that runs control. Queues that are ``apart`` have a Celery worker to themselves.
    """
    async with AsyncExitStack() as stack:
        if redis is None:
            redis = stack.enter_context(redis_roles()).urls
        deployment = Deployment(
            port=free_port(),
            api_keys={secrets.token_urlsafe(32): "default"},
            token_secret=secrets.token_hex(32),
            agents=("chaos_agents",),
            state_url=redis["state_url"],
            audio_url=redis["audio_url"],
            broker_url=redis["broker_url"],
        )
        with tempfile.TemporaryDirectory() as folder:
            running = Site(replace(deployment), _environment(deployment, config, Path(folder), environment or {}))
            try:
                await running.start("control", control)
                await running.start("celery", *celery(*(queue for queue in Queue if queue not in apart)))
                if apart:
                    await running.start("celery-apart", *celery(*apart))
                for number in range(workers):
                    await running.start(f"worker-{number}", *WORKER)
                await running.until_ready(workers)
                yield running
            finally:
                await running.stop()


def _environment(
    deployment: Deployment, config: Mapping[str, Any], folder: Path, more: Mapping[str, str]
) -> dict[str, str]:
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(dict(config)), encoding="utf-8")
    ours = {name: value for name, value in os.environ.items() if not name.startswith("VOICEBACKEND_")}
    return {
        **ours,
        **deployment.to_env(),
        "VOICEBACKEND_CONFIG": str(path),
        "PYTHONPATH": str(HELPERS),
        "OPENBLAS_NUM_THREADS": "1",
        "VOICEBACKEND_PROCESSES": "0",  # who is killed is the worker, and nobody starts it again
        **more,
    }
