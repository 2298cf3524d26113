"""Streams that are given up: closed beside the call, which does not wait for a peer that may be dead."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager

logger = logging.getLogger(__name__)

CLOSE_S = 5.0
"""Seconds that each may take."""


class Closings:
    """One session's."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, closing: Awaitable[object], name: str) -> None:
        """Close one."""
        task = asyncio.create_task(_closed(closing, name), name=f"close-{name}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @contextmanager
    def on_failure(self, close: Callable[[], Awaitable[object]], name: str) -> Iterator[None]:
        """Close one if what is done within fails or is cancelled: nobody else would."""
        try:
            yield
        except BaseException:
            self.begin(close(), name)
            raise

    async def wait(self) -> None:
        """Return when all are closed; who stops waiting stops none of them."""
        while self._tasks:
            await asyncio.wait(self._tasks)


async def _closed(closing: Awaitable[object], name: str) -> None:
    try:
        async with asyncio.timeout(CLOSE_S):
            await closing
    except Exception:
        logger.exception("a stream that had failed did not close", extra={"engine": name})
