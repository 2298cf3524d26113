"""How far audio may be ahead of the time it takes to say it."""

from __future__ import annotations

MAX_AHEAD_S = 10.0
"""Seconds of audio that may be sent ahead of real time; the gateway closes the socket at three times that."""


class Pace:
    """Says how long to wait before more audio is sent; pure, no clock is read."""

    def __init__(self) -> None:
        self._until = 0.0

    def wait_s(self, seconds: float, now: float) -> float:
        """Return the seconds to wait before these seconds of audio are sent."""
        self._until = max(self._until, now) + seconds
        return max(0.0, self._until - now - MAX_AHEAD_S)
