"""A queue that tells what waits in it."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TypeVar

T = TypeVar("T")


class WaitingQueue(asyncio.Queue[T]):
    """Like any other; ``waiting`` shows what nobody has taken."""

    _queue: deque[T]

    def waiting(self) -> tuple[T, ...]:
        """Return what waits, in order."""
        return tuple(self._queue)
