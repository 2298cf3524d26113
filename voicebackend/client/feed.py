"""Values on their way to whoever iterates: bounded, the oldest go first, and it ends when its source does."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Feed(Generic[T]):
    """A queue between callbacks and an ``async for``. Two readers share the values; a later one goes on."""

    def __init__(self, limit: int) -> None:
        self._values: deque[T] = deque(maxlen=limit)
        self._changed = asyncio.Event()
        self.closed = False

    def __len__(self) -> int:
        return len(self._values)

    def put(self, value: T) -> None:
        """Add a value; the oldest goes if there are too many. Nothing happens after the end."""
        if not self.closed:
            self._values.append(value)
            self._changed.set()

    def drop(self, unwanted: Callable[[T], bool]) -> None:
        """Remove waiting values."""
        self._values = deque((value for value in self._values if not unwanted(value)), self._values.maxlen)

    def close(self) -> None:
        """End the feed once what waits is read."""
        self.closed = True
        self._changed.set()

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        while not self._values:
            if self.closed:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        return self._values.popleft()
