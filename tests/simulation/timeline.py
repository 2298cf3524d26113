"""Virtual time: what happens next, in order, and what happened last."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from typing import Any

REMEMBERED = 50


class Timeline:
    """A queue of events by true time in milliseconds. Events at the same time happen in the order they were planned."""

    def __init__(self) -> None:
        self.now = 0.0
        self.events = 0
        self._heap: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._planned = 0
        self._last: deque[tuple[float, str, tuple[Any, ...]]] = deque(maxlen=REMEMBERED)

    def after(self, delay_ms: float, event: Callable[..., None], *args: Any) -> None:
        """Plan an event."""
        self._planned += 1
        heapq.heappush(self._heap, (self.now + delay_ms, self._planned, event, args))

    def run(self, until_ms: float) -> None:
        """Let events happen until that time."""
        heap, pop = self._heap, heapq.heappop
        while heap and heap[0][0] <= until_ms:
            self.now, _, event, args = pop(heap)
            self.events += 1
            event(*args)
        self.now = until_ms

    def note(self, text: str, *args: Any) -> None:
        """Remember what happened, for the report of a seed that fails."""
        self._last.append((self.now, text, args))

    def last(self) -> str:
        """Return the last events, a line each."""
        return "\n".join(f"{at:10.1f} ms  {text.format(*args)}" for at, text, args in self._last)
