"""How far agent audio may run ahead of the caller's ear: pure arithmetic of seconds."""

from __future__ import annotations

AHEAD_S = 0.5
"""Seconds of audio that may be on their way to the gateway."""


class Pacer:
    """Says how long to wait before the next frame of a turn, and how much has been heard if nobody says."""

    def __init__(self) -> None:
        self._ends_at: float | None = None
        self.sent_s = 0.0
        """Seconds of audio sent."""

    def delay(self, now: float) -> float:
        """Return the seconds to wait at ``now`` before sending more."""
        if self._ends_at is None:
            return 0.0
        return max(0.0, self._ends_at - now - AHEAD_S)

    def sent(self, seconds: float, now: float) -> None:
        """Note a frame sent at ``now``; after a gap, playout starts anew from there."""
        self._ends_at = max(self._ends_at or now, now) + seconds
        self.sent_s += seconds

    def remaining(self, now: float) -> float:
        """Return the seconds until all that was sent has been played."""
        return 0.0 if self._ends_at is None else max(0.0, self._ends_at - now)
