"""How far agent audio may run ahead of the caller's ear: pure arithmetic of seconds."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

AHEAD_S = 0.5
"""Seconds of audio that may be on their way to the gateway."""
MAX_STRETCHES = 128
"""Of a turn's playout without a stop whose beginnings are known: the latest."""
Stretch = tuple[float, float]
"""Where playout began to run, or to run on: seconds of the turn's audio, and when that was."""


class Pacer:
    """Says how long to wait before the next frame of a turn, and how much has been heard if nobody says."""

    def __init__(self, sent_s: float = 0.0, ends_at: float | None = None, stretches: Sequence[Stretch] = ()) -> None:
        self._ends_at = ends_at
        self._stretches = deque(stretches, MAX_STRETCHES)
        self._held_at: float | None = None
        self.sent_s = sent_s
        """Seconds of audio sent."""

    @property
    def held(self) -> bool:
        """Whether playout stands still."""
        return self._held_at is not None

    def hold(self, now: float) -> None:
        """Let playout stand still from ``now``."""
        if self._held_at is None:
            self._held_at = now

    def resume(self, now: float) -> None:
        """Let it go on: everything is due later by as long as it stood still."""
        if self._held_at is not None and self._ends_at is not None:
            self._stretches.append((self.played_s(now), now))
            self._ends_at = max(self._ends_at, self._held_at) + now - self._held_at
        self._held_at = None

    def rewind(self, now: float) -> float:
        """Forget what was sent and is not yet played; return the seconds that were."""
        self.sent_s = self.played_s(now)
        self._ends_at = None
        return self.sent_s

    def delay(self, now: float) -> float:
        """Return the seconds to wait at ``now`` before sending more."""
        return max(0.0, self.remaining(now) - AHEAD_S)

    def sent(self, seconds: float, now: float) -> None:
        """Note a frame sent at ``now``; after a gap, playout starts anew from there."""
        if self._ends_at is None or self._ends_at < now:
            self._stretches.append((self.sent_s, now))
        self._ends_at = max(self._ends_at or now, now) + seconds
        self.sent_s += seconds

    def remaining(self, now: float) -> float:
        """Return the seconds until all that was sent has been played, standing still not counted."""
        at = now if self._held_at is None else min(now, self._held_at)
        return 0.0 if self._ends_at is None else max(0.0, self._ends_at - at)

    def played_s(self, now: float) -> float:
        """Return the seconds that have been played by ``now``, by the pace at which they were sent."""
        return max(0.0, self.sent_s - self.remaining(now))

    @property
    def stretches(self) -> tuple[Stretch, ...]:
        """Return where playout began to run each time, oldest first."""
        return tuple(self._stretches)

    def heard_at(self, place_s: float) -> float | None:
        """Return when a place of the turn's audio was, or will be, heard; None if nothing was sent."""
        known = [stretch for stretch in self._stretches if stretch[0] <= place_s] or [*self._stretches][:1]
        return known[-1][1] + place_s - known[-1][0] if known else None
