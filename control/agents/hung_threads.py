"""Threads of agents that were given up and do not end: Python cannot end them, so at some number the process must."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

GRACE_S = 10.0
"""Seconds that a thread has to notice that its answer is no longer wanted."""
LIMIT = 8
"""Hung threads after which the process asks to be replaced."""


class HungThreads:
    """Counts threads that run on although nobody waits for them."""

    def __init__(self, *, limit: int = LIMIT, grace_s: float = GRACE_S) -> None:
        self._limit, self._grace_s = limit, grace_s
        self._abandoned: dict[threading.Thread, float] = {}
        self.recycle: Callable[[], None] | None = None
        """Asks for the process to be replaced; called once, from the event loop."""

    def __repr__(self) -> str:
        return f"<HungThreads [{self.count()} of {self._limit}]>"

    def abandon(self, thread: threading.Thread) -> None:
        """Watch a thread that should end now; on the event loop."""
        self._abandoned[thread] = time.monotonic()
        asyncio.get_running_loop().call_later(self._grace_s, self._check)

    def count(self) -> int:
        """Return how many threads are hung."""
        now = time.monotonic()
        self._abandoned = {thread: since for thread, since in self._abandoned.items() if thread.is_alive()}
        return sum(now - since >= self._grace_s for since in self._abandoned.values())

    def _check(self) -> None:
        hung = self.count()
        if hung:
            logger.error("agent threads hang", extra={"hung": hung, "limit": self._limit})
        if hung >= self._limit:
            self.replace_process()

    def replace_process(self) -> None:
        """Ask for a new process, once; where nobody can give one, the log alone says so."""
        recycle, self.recycle = self.recycle, None
        if recycle is not None:
            recycle()


hung_threads = HungThreads()
"""Those of this process."""
