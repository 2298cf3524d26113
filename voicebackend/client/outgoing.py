"""What waits for a caller's socket: who speaks too fast for it waits; while it is lost the latest audio is kept."""

from __future__ import annotations

import asyncio
from collections import deque

from voicebackend.audio import SAMPLE_BYTES
from voicebackend.events import Message

MAX_QUEUED = 64
"""Messages that wait for the socket; then who sends waits too."""
KEPT_S = 2.0
"""Seconds of audio kept while the socket is lost: what is older is not worth a late answer."""


class Outgoing:
    """A queue with one reader, who says when what he read was sent; ``sample_rate`` (Hz) is of the audio."""

    def __init__(self, sample_rate: int) -> None:
        self._kept_bytes = round(KEPT_S * sample_rate) * SAMPLE_BYTES
        self._waiting: deque[Message | bytes] = deque()
        self._filled, self._room = asyncio.Event(), asyncio.Event()
        self._lost = False

    def __len__(self) -> int:
        return len(self._waiting)

    async def put(self, message: Message | bytes) -> None:
        """Add a message; waits while too many wait, unless the socket is lost."""
        while len(self._waiting) >= MAX_QUEUED and not self._lost:
            self._room.clear()
            await self._room.wait()
        self._waiting.append(message)
        self._filled.set()
        if self._lost:
            self._drop_old()

    async def next(self) -> Message | bytes:
        """Return the oldest message, which stays until it is sent."""
        while not self._waiting:
            self._filled.clear()
            await self._filled.wait()
        return self._waiting[0]

    def sent(self) -> None:
        """Let go of the oldest message."""
        self._waiting.popleft()
        self._room.set()

    def lose(self) -> None:
        """Hear that the socket is lost: from now on nobody waits, and old audio goes."""
        self._lost = True
        self._drop_old()
        self._room.set()

    def find(self) -> None:
        """Hear that there is a socket again."""
        self._lost = False

    def _drop_old(self) -> None:
        over = sum(len(message) for message in self._waiting if isinstance(message, bytes)) - self._kept_bytes
        kept: deque[Message | bytes] = deque()
        for message in self._waiting:
            if isinstance(message, bytes) and over > 0:
                over -= len(message)
            else:
                kept.append(message)
        self._waiting = kept
