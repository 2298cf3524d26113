"""Processes of callers: started with what they are to do, told when, and asked what they saw."""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

_END_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """When to talk and when to count, seconds of the machine's monotonic clock."""

    start: float
    count_from: float
    until: float


@contextmanager
def processes(target: Callable[[Any, Connection], None], tasks: Sequence[Any]) -> Iterator[Callers]:
    """Run ``target`` in a process for each task, with a pipe to here, and end them."""
    context = multiprocessing.get_context("spawn")
    pipes = [context.Pipe() for _ in tasks]
    running = [
        context.Process(target=target, args=(task, theirs), daemon=True)
        for task, (_, theirs) in zip(tasks, pipes, strict=True)
    ]
    for process, (_, theirs) in zip(running, pipes, strict=True):
        process.start()
        theirs.close()  # else nobody notices when the process is gone
    try:
        yield Callers([process.pid or 0 for process in running], [ours for ours, _ in pipes])
    finally:
        for process in running:
            process.join(_END_S)
            process.kill()


class Callers:
    """The processes and the pipes to them."""

    def __init__(self, pids: Sequence[int], pipes: Sequence[Connection]) -> None:
        self.pids, self._pipes = pids, pipes

    def tell(self, told: Any) -> None:
        """Send the same to each."""
        for pipe in self._pipes:
            pipe.send(told)

    async def answers(self, timeout_s: float) -> list[Any]:
        """Return what each says next; raises RuntimeError if one is silent for so long."""
        return [await _receive(pipe, timeout_s) for pipe in self._pipes]


def shares(total: int, parts: int) -> list[int]:
    """Share a number out; no part gets none."""
    base, more = divmod(total, parts)
    return [share for share in (base + (number < more) for number in range(parts)) if share]


async def _receive(pipe: Connection, timeout_s: float) -> Any:
    if not await asyncio.to_thread(pipe.poll, timeout_s):
        raise RuntimeError(f"the callers did not answer within {timeout_s:g} s")
    try:
        return pipe.recv()
    except EOFError as error:
        raise RuntimeError("a process of callers died; its own words are above") from error
