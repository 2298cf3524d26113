"""How much of each turn a carrier has played: as time passes, put right by marks that come back between the audio.

Pure; ``now`` in seconds. Turns follow each other on one line of time: a piece is played when those before it are.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from voicebackend.events import Played

EVERY_MS = 200.0
"""Milliseconds of audio between two marks."""
MAX_PENDING = 200
"""Marks that may be on their way: of a carrier that sends none back, no more are kept."""
STRETCHES_KEPT = 16
"""Stretches of one turn's audio; of what went before them nothing is asked any more."""


@dataclass(slots=True)
class _Stretch:
    """Audio of one turn without another's between: from where to where on that line."""

    turn: int
    begin_ms: float
    end_ms: float


class PlaybackMarks:
    """One stream's. Marks that come back because of ``clear`` are not known any more, and say nothing."""

    def __init__(self, bytes_per_ms: float) -> None:
        self._bytes_per_ms = bytes_per_ms
        self._turn = self._number = 0
        self._sent_ms = self._marked_ms = 0.0
        self._busy_until = 0.0
        """Seconds: when all that was sent will have been played."""
        self._stretches: deque[_Stretch] = deque(maxlen=STRETCHES_KEPT)
        self._pending: dict[str, tuple[int, float]] = {}
        self.answered = False
        """Whether a mark has come back: not every carrier sends them."""

    def begun(self, turn: int) -> None:
        """The audio that follows belongs to this turn; one that goes on counts on."""
        self._turn = turn

    def sent(self, size: int, now: float) -> str | None:
        """Take note of audio of so many bytes; return the mark that is to follow it, if one is due."""
        ms = size / self._bytes_per_ms
        self._busy_until = max(now, self._busy_until) + ms / 1000
        if not self._stretches or self._stretches[-1].turn != self._turn:
            self._stretches.append(_Stretch(self._turn, self._sent_ms, self._sent_ms))
        self._sent_ms += ms
        self._stretches[-1].end_ms = self._sent_ms
        return self.mark() if self._sent_ms - self._marked_ms >= EVERY_MS else None

    def mark(self) -> str | None:
        """Return a mark for all that was sent, None if there is one already, or too many are on their way."""
        if self._sent_ms <= self._marked_ms or len(self._pending) >= MAX_PENDING:
            return None
        self._marked_ms = self._sent_ms
        self._number += 1
        name = str(self._number)
        self._pending[name] = (self._turn, self._sent_ms)
        return name

    def came_back(self, name: str, now: float) -> Played | None:
        """Return how far the carrier has played, if a mark says."""
        found = self._pending.pop(name, None)
        if found is None:
            return None
        self.answered = True
        turn, at_ms = found
        self._busy_until = now + (self._sent_ms - at_ms) / 1000
        return Played(turn=turn, ms=self._of(turn, at_ms))

    def waits(self, turn: int, now: float) -> bool:
        """Tell whether something of a turn is still to be played."""
        return self._of(turn, self._at(now)) < self._of(turn, self._sent_ms)

    def draining(self, turn: int) -> Played | None:
        """Return how much of a turn will have been played when nothing more is sent; None if none of it was."""
        ms = self._of(turn, self._sent_ms)
        return Played(turn=turn, ms=ms, stopped=True) if ms else None

    def stopped(self, turn: int, now: float) -> Played | None:
        """All that waits is cleared: return how much of a turn was played; None if none of it was sent."""
        had_ms, at_ms = self._of(turn, self._sent_ms), self._at(now)
        for stretch in self._stretches:
            stretch.begin_ms, stretch.end_ms = min(stretch.begin_ms, at_ms), min(stretch.end_ms, at_ms)
        self._pending.clear()
        self._sent_ms = self._marked_ms = at_ms
        self._busy_until = now
        return Played(turn=turn, ms=self._of(turn, at_ms), stopped=True) if had_ms else None

    def _at(self, now: float) -> float:
        """Return the place on that line that is played now, in milliseconds."""
        return self._sent_ms - max(0.0, self._busy_until - now) * 1000

    def _of(self, turn: int, at_ms: float) -> float:
        """Return the milliseconds of a turn that lie before a place on that line."""
        mine = (stretch for stretch in self._stretches if stretch.turn == turn)
        return round(sum(max(0.0, min(at_ms, stretch.end_ms) - stretch.begin_ms) for stretch in mine), 1)
