"""Numbered audio that may come out of its order, put in order again. Pure."""

from __future__ import annotations

from control.telephony.streams.stream_events import Audio

DEPTH = 5
"""Pieces that wait for one that is missing: 100 ms; then that counts as lost."""


class Reorder:
    """One stream's."""

    def __init__(self) -> None:
        self._waiting: dict[int, bytes] = {}
        self._next: int | None = None

    def push(self, audio: Audio) -> list[bytes]:
        """Take a piece and return those whose turn has come; one that comes too late, or again, is left out."""
        if audio.chunk is None:
            return [audio.payload]
        if self._next is None:
            self._next = audio.chunk
        if audio.chunk >= self._next:
            self._waiting.setdefault(audio.chunk, audio.payload)
        if len(self._waiting) > DEPTH and self._next not in self._waiting:
            self._next = min(self._waiting)
        found = []
        while self._next in self._waiting:
            found.append(self._waiting.pop(self._next))
            self._next += 1
        return found
