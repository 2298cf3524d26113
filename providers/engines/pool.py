"""The threads in which an engine's model runs: as many as this process may have of the cores, for all its sessions."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from providers.errors import map_exceptions
from voicebackend.errors import PipelineError

T = TypeVar("T")

_share = os.cpu_count() or 1


def share_threads(count: int) -> None:
    """Give each pool made from now on this many threads: where several processes share the machine, a part of it."""
    global _share  # noqa: PLW0603 - the cores are the process's, not an engine's
    _share = max(1, count)


class Pool:
    """Runs functions off the event loop; what they raise becomes a PipelineError.

    What waits is bounded by the callers: each session has at most one job of a kind under way.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._size = _share
        self._executor: ThreadPoolExecutor | None = None
        self._jobs = 0

    def __repr__(self) -> str:
        return f"<Pool {self._name}: {self._jobs} jobs, {self._size} threads>"

    @property
    def busy(self) -> bool:
        """Whether work that can be left out should be: half the threads stay free for what a caller waits for."""
        return self._jobs >= max(1, self._size // 2)

    def submit(self, op: str, function: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        """Start a job; cancelling its future takes it out of the queue, but cannot stop what runs."""
        if self._executor is None:
            self._executor = ThreadPoolExecutor(self._size, thread_name_prefix=self._name)
        future = asyncio.get_running_loop().run_in_executor(self._executor, _guarded, op, function, args)
        self._jobs += 1
        future.add_done_callback(self._finished)
        return future

    def close(self) -> None:
        """Let the threads go once what waits is done; a later job starts new ones."""
        if self._executor is not None:
            self._executor.shutdown(wait=False)
            self._executor = None

    def _finished(self, future: asyncio.Future[Any]) -> None:
        self._jobs -= 1
        if not future.cancelled():
            future.exception()  # a result nobody waits for any more may fail in silence


def _guarded(op: str, function: Callable[..., T], args: tuple[Any, ...]) -> T:
    with map_exceptions({Exception: PipelineError}, op=op):
        return function(*args)


def opened(model: T | None, op: str) -> T:
    """Return the model that ``open`` has loaded.

    Raises:
        PipelineError: the engine is not open.

    """
    if model is None:
        raise PipelineError(op, "the engine is not open: await open() first")
    return model
