"""A real ``python -m worker`` with its supervisor and children, read by what they log."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from redis.asyncio import Redis
from worker_harness import Caller

from voicebackend.embedded.processes import ManagedProcess
from voicebackend.settings import Deployment

HELPERS = Path(__file__).parent
WAIT_S = 30.0


class Workers:
    """One supervisor and everything that it and its children logged; a line that is no JSON is a ``message``."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.process: ManagedProcess
        self._changed = asyncio.Condition()
        self._telling: set[asyncio.Task[None]] = set()

    def hear(self, _: str, line: str) -> None:
        """Take a line."""
        try:
            self.lines.append({"message": "", **json.loads(line)})
        except ValueError:
            self.lines.append({"message": line})
        task = asyncio.create_task(self._tell(), name="tell")
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()

    def said(self, message: str, **fields: Any) -> list[dict[str, Any]]:
        """Return the lines whose message contains this, with these fields."""
        wanted = fields.items()
        return [it for it in self.lines if message in it["message"] and all(it.get(key) == v for key, v in wanted)]

    async def until(self, message: str, *, times: int = 1, **fields: Any) -> dict[str, Any]:
        """Return the line that says this for the ``times``-th time."""
        try:
            async with asyncio.timeout(WAIT_S), self._changed:
                await self._changed.wait_for(lambda: len(self.said(message, **fields)) >= times)
        except TimeoutError:
            told = "\n".join(map(str, self.lines))
            raise AssertionError(f"not said {times} times: {message} {fields}\n{told}") from None
        return self.said(message, **fields)[times - 1]

    async def ready(self, times: int) -> dict[str, int]:
        """Wait until so many workers were ready; return the pid of every worker that was started, by id."""
        await self.until("worker ready", times=times)
        return {line["worker"]: line["pid"] for line in self.said("worker process started")}

    def signal(self, number: signal.Signals) -> None:
        """Signal the supervisor alone."""
        assert self.process.pid is not None
        os.kill(self.process.pid, number)


@asynccontextmanager
async def running_workers(deployment: Deployment, *arguments: str, **environment: str) -> AsyncIterator[Workers]:
    """Run ``python -m worker <arguments>`` with provider ``mock``; whatever is left of it is ended."""
    workers = Workers()
    clean = {name: value for name, value in os.environ.items() if not name.startswith("VOICEBACKEND_")}
    env = {
        **clean,
        **deployment.to_env(),
        "VOICEBACKEND_PROVIDER": "mock",
        "PYTHONPATH": str(HELPERS),
        **environment,
    }
    command = [sys.executable, "-m", "worker", *arguments]
    workers.process = ManagedProcess("worker", command, env=env, on_line=workers.hear)
    await workers.process.start()
    try:
        yield workers
    finally:
        await workers.process.stop()


async def holders(redis: Redis, deployment: Deployment) -> dict[str, list[int]]:
    """Return the lanes that each worker holds a lease of."""
    found: dict[str, list[int]] = {}
    prefix = deployment.keys.lease(0).removesuffix("0")
    async for key in redis.scan_iter(match=f"{prefix}*"):
        value: Any = await redis.get(key)
        if value is not None:
            lane = int(bytes(key).decode().removeprefix(prefix))
            found.setdefault(value.decode().rpartition(":")[0], []).append(lane)
    return {worker: sorted(lanes) for worker, lanes in found.items()}


async def call_into(worker: str, deployment: Deployment, redis: Redis, audio: Redis) -> Caller:
    """Return a caller in a session of this worker."""
    lane = (await holders(redis, deployment))[worker][0]
    value: Any = await redis.get(deployment.keys.lease(lane))
    caller = Caller(deployment, redis, audio, lane)
    await caller.place(int(value.rpartition(b":")[2]), worker=worker)
    await caller.attach()
    await caller.until("state", state="listening")
    return caller
