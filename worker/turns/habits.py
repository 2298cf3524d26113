"""How this caller speaks: the pauses made within turns so far."""

from __future__ import annotations

LONGEST_S = 3.0
"""A pause counts as no longer than this: the caller was interrupted, or looked something up."""
RISE = 0.5
FALL = 0.15
"""Share that a pause longer, or shorter, than usual has: being cut off annoys more than a wait."""


class Habits:
    """Learns from each pause after which the caller went on."""

    def __init__(self) -> None:
        self.pause_s = 0.0
        """A usual pause within a turn, in seconds, 0 to 3, the longer ones weighing more; 0 while nothing is known."""

    def __repr__(self) -> str:
        return f"<Habits [pauses {self.pause_s:.2f} s]>"

    def went_on(self, pause_s: float) -> None:
        """Note that the caller went on after so much silence."""
        change = min(max(pause_s, 0.0), LONGEST_S) - self.pause_s
        self.pause_s += change * (RISE if change > 0 else FALL)
