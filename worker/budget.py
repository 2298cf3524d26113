"""Whether work on audio keeps up with the audio: the share of real time that it takes, averaged. Pure."""

from __future__ import annotations

SHARE = 0.5
"""Seconds that work on a second of audio may take on average: 10 ms for a frame of 20 ms."""
WINDOW_S = 1.0
"""Seconds of audio over which the average is taken: one slow frame is no overrun."""


class Budget:
    """Adds up the time that pieces of audio took, a window at a time."""

    def __init__(self, *, share: float = SHARE, window_s: float = WINDOW_S) -> None:
        self._share, self._window_s = share, window_s
        self._spent_s = self._audio_s = 0.0

    def spend(self, seconds: float, *, audio_s: float) -> bool:
        """Take note that this much audio took ``seconds``; tell whether a window just ended that took too long."""
        self._spent_s += seconds
        self._audio_s += audio_s
        if self._audio_s < self._window_s:
            return False
        overrun = self._spent_s > self._share * self._audio_s
        self._spent_s = self._audio_s = 0.0
        return overrun
