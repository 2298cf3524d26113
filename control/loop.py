"""One background event loop per process, for tasks: they are plain functions, what they do is asyncio.

The loop's thread starts with the first ``run``, so a process may fork before. A forked child starts its own.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor, wait
from concurrent.futures import TimeoutError as FutureTimeout
from typing import Any, TypeVar

from voicebackend.errors import OperationTimeout
from voicebackend.process import loop_factory

T = TypeVar("T")

STUCK_S = 2.0
"""Seconds past a deadline after which the loop itself, not only the coroutine, must be stuck."""

TO_THREAD = 256
"""Calls of ``asyncio.to_thread`` at once: async agents wait there, in ``turn.once``, for callers to finish."""


class LoopStuck(OperationTimeout):
    """Something blocks the event loop: an async agent must await, or do its work in ``asyncio.to_thread``."""


class LoopThread:
    """An event loop in a daemon thread."""

    def __init__(self) -> None:
        self._loop = loop_factory()()
        self._loop.set_default_executor(ThreadPoolExecutor(TO_THREAD, thread_name_prefix="to-thread"))
        self._thread = threading.Thread(target=self._loop.run_forever, name="tasks-loop", daemon=True)
        self._thread.start()

    def run(self, coroutine: Coroutine[Any, Any, T], timeout_s: float) -> T:
        """Run a coroutine on the loop and return its result, from any other thread.

        Raises:
            OperationTimeout: it took longer; it has been cancelled.
            LoopStuck: the loop does not even get to cancel it.

        """
        if threading.current_thread() is self._thread:
            coroutine.close()
            raise RuntimeError("the loop would wait for itself: await the coroutine instead")
        future = asyncio.run_coroutine_threadsafe(_limited(coroutine, timeout_s), self._loop)
        try:
            return future.result(timeout_s + STUCK_S)
        except FutureTimeout as error:
            if future.done():
                raise
            raise LoopStuck("run") from error
        finally:
            future.cancel()

    def close(self) -> None:
        """Cancel what runs, then end the loop and its thread."""
        if not self._thread.is_alive():
            return
        ended = asyncio.run_coroutine_threadsafe(_cancel_all(), self._loop)
        wait([ended], STUCK_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(STUCK_S)
        if not self._thread.is_alive():  # else something blocks it; it is a daemon and goes with the process
            self._loop.close()


async def _limited(coroutine: Coroutine[Any, Any, T], timeout_s: float) -> T:
    limit = asyncio.timeout(timeout_s)
    try:
        async with limit:
            return await coroutine
    except TimeoutError as error:
        if limit.expired():
            raise OperationTimeout("run") from error
        raise


async def _cancel_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    await asyncio.get_running_loop().shutdown_asyncgens()


_lock = threading.Lock()
_current: LoopThread | None = None


def run(coroutine: Coroutine[Any, Any, T], timeout_s: float) -> T:
    """Run a coroutine on this process's background loop; see :meth:`LoopThread.run`."""
    global _current  # noqa: PLW0603 - one per process is the point
    with _lock:
        _current = _current or LoopThread()
        loop = _current
    return loop.run(coroutine, timeout_s)


def close() -> None:
    """End this process's background loop; the next ``run`` starts another."""
    global _current
    with _lock:
        loop, _current = _current, None
    if loop is not None:
        loop.close()


def _forget() -> None:
    """Let go of the parent's loop: its thread did not come along."""
    global _current, _lock
    _current, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget)
