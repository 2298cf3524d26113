"""What is made at a vendor and costs until it is ended: each is, also one that is made when nobody waits any more."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from voicebackend.errors import ConnectionFailed

logger = logging.getLogger(__name__)

T = TypeVar("T")
Work = Coroutine[Any, Any, T]

LEAVE_S = 5.0
"""Seconds that closing waits for the last to end."""


class Leases:
    """Owns the tasks by which one engine's are made and ended."""

    def __init__(self, name: str) -> None:
        """``name`` labels errors and tasks."""
        self._name = name
        self._tasks: set[asyncio.Task[Any]] = set()

    async def make(self, making: Work[T], end: Callable[[T], Work[None]]) -> T:
        """Return what ``making`` returns; if this is cancelled meanwhile, that is ended once it is there.

        Raises:
            VoiceBackendError: as ``making``; ``ConnectionFailed`` if this is closed meanwhile.

        """
        task = self._start(making, "make")
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError:
            task.add_done_callback(partial(self._too_late, end))
            raise
        if task.cancelled():
            raise ConnectionFailed(self._name, "closed")
        return task.result()

    def end(self, ending: Work[None]) -> None:
        """Run what ends one."""
        self._start(ending, "end").add_done_callback(self._ended)

    async def aclose(self) -> None:
        """Let the last end, for a while."""
        with suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_S):
                while self._tasks:
                    await asyncio.wait(self._tasks)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(self, work: Work[T], what: str) -> asyncio.Task[T]:
        task = asyncio.create_task(work, name=f"{self._name}-{what}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _too_late(self, end: Callable[[T], Work[None]], task: asyncio.Task[T]) -> None:
        if not task.cancelled() and task.exception() is None:
            self.end(end(task.result()))

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if task.cancelled() or error is not None:
            logger.warning(
                "what was made at a vendor may not have ended", extra={"task": task.get_name()}, exc_info=error
            )
