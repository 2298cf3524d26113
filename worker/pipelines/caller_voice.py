"""What the caller says in the turn under way, kept for a model that hears."""

from __future__ import annotations

from collections import deque

from voicebackend.turn_audio import MAX_BYTES


class CallerVoice:
    """One ear's: the latest of a turn, 30 s at most. Where no model hears, nothing is kept."""

    def __init__(self, *, wanted: bool) -> None:
        self._wanted = wanted
        self._pieces: deque[bytes] = deque()
        self._bytes = 0

    @property
    def pcm(self) -> bytes:
        """Return it as 16-bit mono PCM of 16 kHz."""
        return b"".join(self._pieces)[-MAX_BYTES:]

    def begin(self, pcm: bytes) -> None:
        """A turn begins with this."""
        self.end()
        self.keep(pcm)

    def keep(self, pcm: bytes) -> None:
        """Take what is said next."""
        if not self._wanted:
            return
        self._pieces.append(pcm)
        self._bytes += len(pcm)
        while self._bytes - len(self._pieces[0]) >= MAX_BYTES:
            self._bytes -= len(self._pieces.popleft())

    def end(self) -> None:
        """The turn is over."""
        self._pieces.clear()
        self._bytes = 0
