"""What becomes of the caller's sounds that the server says nothing of: a cough, or a hum while the bot speaks. Pure."""

from __future__ import annotations

WAIT_S = 2.0
"""Seconds after a sound in which its words have to come."""
WORDLESS_S = 0.5
"""Seconds of sound that need not be words."""


class Sounds:
    """One session's; times are seconds of any one clock.

    A long sound that is followed by nothing at all from the server is left open: it may be that nobody listens there.
    """

    def __init__(self) -> None:
        self._began: float | None = None
        self._well = self._short = False
        self.due: float | None = None
        """When ``passed`` is to be asked."""

    def __repr__(self) -> str:
        return f"<Sounds [{'open' if self._began is not None else 'none'}]>"

    def started(self, now: float) -> None:
        """The caller makes a sound, or goes on with one."""
        if self._began is None:
            self._began, self._well = now, False
        self.due = None

    def stopped(self, now: float, silence_s: float) -> None:
        """The caller has been silent for so long."""
        if self._began is not None:
            self._short = now - silence_s - self._began < WORDLESS_S
            self.due = now + WAIT_S

    def came(self) -> None:
        """The server said something: it is well."""
        self._well = True

    def understood(self) -> None:
        """They were words."""
        self._began = self.due = None

    def passed(self, now: float) -> bool:
        """Tell whether the last sound has turned out to be nothing."""
        if self.due is None or now < self.due:
            return False
        self.understood()
        return self._well or self._short
