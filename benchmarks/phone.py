"""A caller's telephone: a buffer that plays at real time, and obeys ``clear``, ``pause`` and ``resume`` at once.

Pure: seconds of one clock go in, nothing is read from a clock.
"""

from __future__ import annotations

LATE_S = 0.02
"""Seconds that the buffer may have been dry before the next frame counts as late."""


class Phone:
    """Hears one call."""

    def __init__(self) -> None:
        self._dry_at = 0.0
        self._frozen: float | None = None
        self.frames = self.late = 0
        """Pieces of audio that came, and those that came after the buffer had run dry within a reply."""
        self.first: float | None = None
        """When the first audio of this reply came."""

    def expect_reply(self) -> None:
        """What comes from now on is another reply."""
        self.first = None

    def hear(self, seconds: float, now: float) -> None:
        """Take a piece of audio."""
        self.frames += 1
        if self.first is None:
            self.first = now
        elif self._frozen is None and now > self._dry_at + LATE_S:
            self.late += 1
        self._dry_at = max(self._dry_at, self._frozen or now) + seconds

    def clear(self, now: float) -> None:
        """Drop what was not played; a frozen buffer is empty and moves again."""
        self._dry_at = min(self._dry_at, self._frozen or now)
        self._frozen = None

    def pause(self, now: float) -> None:
        """Freeze."""
        if self._frozen is None:
            self._frozen = now

    def resume(self, now: float) -> None:
        """Play on from where it froze."""
        if self._frozen is not None:
            self._dry_at += now - self._frozen
            self._frozen = None

    @property
    def silent_at(self) -> float:
        """The last moment at which something is heard, if nothing more comes."""
        return self._dry_at if self._frozen is None else min(self._dry_at, self._frozen)
