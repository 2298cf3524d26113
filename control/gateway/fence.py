"""Which frames of a session's worker are news: each once, and none of a lease older than one that has spoken."""

from __future__ import annotations

from voicebackend.streams import Frame


class Fence:
    """Remembers the epoch and the sequence number of what has passed."""

    def __init__(self) -> None:
        self._epoch = self._seq = 0

    def __repr__(self) -> str:
        return f"<Fence [epoch {self._epoch}, seq {self._seq}]>"

    def admits(self, frame: Frame) -> bool:
        """Tell whether a frame is news, and remember it; frames without a number are news in their epoch."""
        epoch, seq = frame.epoch, frame.seq
        if epoch < self._epoch or (epoch == self._epoch and 0 < seq <= self._seq):
            return False
        if epoch > self._epoch:
            self._epoch, self._seq = epoch, seq
        elif seq:
            self._seq = seq
        return True
