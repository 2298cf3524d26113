"""What is on its way out to the caller can be held back, and played on later: the source itself can only drop it."""

from __future__ import annotations

from typing import Protocol

from voicebackend.audio import SAMPLE_BYTES
from voicebackend.playout import AHEAD_S, MESSAGE_S


class Source(Protocol):
    """Plays what it is given, piece after piece."""

    async def play(self, pcm: bytes) -> None:
        """Queue audio."""

    def clear(self) -> None:
        """Drop what is queued."""


class Loudspeaker:
    """Remembers the end of what it played: as much as the source has queued at most."""

    def __init__(self, source: Source, sample_rate: int) -> None:
        self._source, self._rate = source, sample_rate
        self._recent, self._held = b"", b""

    async def play(self, pcm: bytes) -> None:
        """Play at the end of what is queued."""
        self._recent = (self._recent + pcm)[-self._bytes(AHEAD_S + MESSAGE_S) :]
        await self._source.play(pcm)

    def hold(self, ahead_s: float) -> None:
        """Fall silent now; the last ``ahead_s`` seconds, which were not heard, wait."""
        self._source.clear()
        size = self._bytes(ahead_s)
        self._held = self._recent[-size:] + self._held if size else self._held
        self._recent = b""

    def keep(self, ahead_s: float) -> None:
        """Of what waits, keep the first seconds only."""
        self._held = self._held[: self._bytes(ahead_s)]

    async def go_on(self) -> None:
        """Play what waits."""
        held, self._held = self._held, b""
        if held:
            await self.play(held)

    def _bytes(self, seconds: float) -> int:
        return round(seconds * self._rate) * SAMPLE_BYTES
