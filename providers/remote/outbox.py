"""What a stream has for its reader, in order; some of it may still be taken back."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Generic, TypeVar

from voicebackend.errors import VoiceBackendError

T = TypeVar("T")

MAX_WAITING = 500
"""Items that may wait to be read."""


class Outbox(Generic[T]):
    """Filled by a stream's tasks, read by one other."""

    def __init__(self, *, max_waiting: int = MAX_WAITING) -> None:
        self._items: deque[T] = deque()
        self._max_waiting = max_waiting
        self._filled, self._emptied = asyncio.Event(), asyncio.Event()
        self._ended = False
        self._error: VoiceBackendError | None = None

    def __repr__(self) -> str:
        return f"<Outbox [{len(self._items)} waiting{', ended' if self._ended else ''}]>"

    async def put(self, item: T) -> None:
        """Add an item; wait first if too many wait to be read."""
        await self.room()
        self.put_now(item)

    async def room(self) -> None:
        """Return once not too many wait to be read: for who puts several that belong together."""
        while len(self._items) >= self._max_waiting and not self._ended:
            self._emptied.clear()
            await self._emptied.wait()

    def put_now(self, item: T) -> None:
        """Add an item, however many wait: for the few that must not be late."""
        self._items.append(item)
        self._filled.set()

    def take_back(self, unwanted: Callable[[T], bool]) -> None:
        """Remove items that nobody has read."""
        self._items = deque(item for item in self._items if not unwanted(item))
        self._emptied.set()

    def end(self, error: VoiceBackendError | None = None) -> None:
        """Have the reader end once it has read what waits, by this error if there is one; the first end counts."""
        if not self._ended:
            self._ended, self._error = True, error
        self._filled.set()
        self._emptied.set()

    def close(self) -> None:
        """Have the reader end now, and without an error."""
        self._items.clear()
        self._ended, self._error = True, None
        self.end()

    async def read(self) -> AsyncIterator[T]:
        """Yield items until the end.

        Raises:
            VoiceBackendError: what it ended by.

        """
        while True:
            while self._items:
                item = self._items.popleft()
                self._emptied.set()
                yield item
            if self._ended:
                break
            self._filled.clear()
            await self._filled.wait()
        if self._error is not None:
            raise self._error
