"""Work on Redis and a store that goes on only as a test wants, one command at a time, and may die between any two."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import ContextVar, copy_context
from typing import Any, TypeVar

from redis.asyncio import Redis

from control.records.objects import Objects

T = TypeVar("T")


class Gate:
    """Lets commands through one by one."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._arrived, self._through = asyncio.Event(), asyncio.Event()

    async def pass_(self, command: Callable[[], Awaitable[T]]) -> T:
        """Wait for the test's word, and run the command."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        self._arrived.set()
        await turn
        try:
            return await command()
        finally:
            self._through.set()

    async def step(self, task: asyncio.Task[Any]) -> bool:
        """Let one command through and wait until it is done; False if the task has come to its end instead."""
        arrival = asyncio.create_task(self._arrived.wait(), name="arrival")
        try:
            await asyncio.wait({task, arrival}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            arrival.cancel()
        if not self._waiting:
            return False
        self._through.clear()
        self._waiting.popleft().set_result(None)
        if not self._waiting:
            self._arrived.clear()
        await self._through.wait()
        return True


_gate: ContextVar[Gate | None] = ContextVar("gate", default=None)


async def _stepped(command: Callable[[], Awaitable[T]]) -> T:
    gate = _gate.get()
    return await (command() if gate is None else gate.pass_(command))


class Work:
    """A coroutine whose commands wait for the test; ``began`` is its clock, seconds since the epoch."""

    def __init__(self, what: Coroutine[Any, Any, Any], began: float) -> None:
        self.name, self.began, self._gate = what.__name__, began, Gate()
        context = copy_context()
        context.run(_gate.set, self._gate)
        self.task = asyncio.create_task(what, name=self.name, context=context)

    async def go_on(self, commands: int) -> bool:
        """Let so many commands through; return whether it is at its end."""
        for _ in range(commands):
            if not await self._gate.step(self.task):
                return True
        return self.task.done()

    async def finish(self) -> Any:
        """Let it go to its end; return what it returns."""
        while await self._gate.step(self.task):
            pass
        return await self.task

    async def kill(self) -> None:
        """End it where it stands: what it had sent is done, what comes next is not."""
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


def stepped(redis: Redis) -> Redis:
    """Have a client's commands wait where they are part of ``Work``."""
    at_once, register = redis.execute_command, redis.register_script

    async def execute_command(*args: Any, **options: Any) -> Any:
        return await _stepped(lambda: at_once(*args, **options))

    def register_script(text: Any) -> Any:
        script = register(text)
        _scripts.add(script.script)
        return script

    redis.execute_command = execute_command  # type: ignore[method-assign]
    redis.register_script = register_script  # type: ignore[method-assign]
    return redis


async def load_scripts(redis: Redis) -> None:
    """Give Redis all scripts that were registered: where it does not know one, a client needs more commands."""
    for script in sorted(_scripts, key=str):
        await redis.script_load(script)


_scripts: set[Any] = set()


class SteppedObjects(Objects):
    """A store whose operations wait where they are part of ``Work``."""

    async def create(self, path: str, data: bytes) -> bool:
        """Write, when it may."""
        return await _stepped(lambda: super(SteppedObjects, self).create(path, data))

    async def read(self, path: str, *, start: int = 0, end: int | None = None) -> bytes | None:
        """Read, when it may."""
        return await _stepped(lambda: super(SteppedObjects, self).read(path, start=start, end=end))

    async def delete(self, path: str) -> None:
        """Delete, when it may."""
        await _stepped(lambda: super(SteppedObjects, self).delete(path))

    async def has(self, path: str) -> bool:
        """Look, when it may."""
        return await _stepped(lambda: super(SteppedObjects, self).has(path))
