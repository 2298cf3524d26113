"""What is to happen when, by name."""

from __future__ import annotations

import heapq
from typing import TypeAlias

Name: TypeAlias = tuple[str, str]
"""What it is for, and of which: ``("call", id)``."""


class Timers:
    """Every name has one time; to set it again moves it."""

    def __init__(self) -> None:
        self._at: dict[Name, float] = {}
        self._heap: list[tuple[float, Name]] = []

    def __len__(self) -> int:
        return len(self._at)

    def set(self, name: Name, at: float) -> None:
        """Have a name come up at this time."""
        self._at[name] = at
        heapq.heappush(self._heap, (at, name))
        if len(self._heap) > 2 * len(self._at) + 64:
            self._heap = [(at, name) for name, at in self._at.items()]
            heapq.heapify(self._heap)

    def clear(self, name: Name) -> None:
        """Forget a name."""
        self._at.pop(name, None)

    def next(self) -> float | None:
        """Return the earliest time of all."""
        while self._heap and self._at.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop(self, now: float) -> Name | None:
        """Return a name whose time has come, and forget it."""
        at = self.next()
        if at is None or at > now:
            return None
        name = heapq.heappop(self._heap)[1]
        del self._at[name]
        return name
