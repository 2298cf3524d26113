"""How this caller speaks: the pauses made within turns so far."""

from __future__ import annotations


class Habits:
    """Learns from each pause after which the caller went on."""

    def __init__(self) -> None:
        self.pause_s = 0.0
        """A usual pause within a turn, in seconds; 0 while nothing is known."""

    def __repr__(self) -> str:
        return f"<Habits [pauses {self.pause_s:.2f} s]>"

    def went_on(self, pause_s: float) -> None:
        """Note that the caller went on after so much silence."""
        del pause_s
