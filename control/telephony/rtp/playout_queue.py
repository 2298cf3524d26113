"""Agent audio that waits to be sent, turn by turn, and how much of each turn has been sent. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from voicebackend.events import Played

BYTES_PER_MS = 8
REPORT_MS = 200
"""Milliseconds between two reports of one turn."""
MAX_BYTES = 8000 * 30
"""Audio that waits at most: 30 s. The gateway sends no more than 0.2 s ahead, except while the queue stands still."""
TURNS_KEPT = 16


@dataclass(slots=True)
class _Stretch:
    turn: int
    audio: bytearray


class PlayoutQueue:
    """One call's. Nothing of a turn that is paused leaves, nor what lies behind it."""

    def __init__(self, silence: bytes) -> None:
        """``silence`` is one byte of it."""
        self._silence = silence
        self._stretches: deque[_Stretch] = deque()
        self._size = 0
        self._turn = 0
        self._played: dict[int, int] = {}
        """Bytes of each turn."""
        self._reported: dict[int, int] = {}
        self._paused: int | None = None
        self.dropped = 0
        """Bytes for which there was no room."""

    def __repr__(self) -> str:
        held = f", turn {self._paused} paused" if self._paused is not None else ""
        return f"<PlayoutQueue [{self._size // BYTES_PER_MS} ms wait{held}]>"

    @property
    def is_empty(self) -> bool:
        """Tell whether nothing waits that could be sent."""
        return not self._stretches or self._stretches[0].turn == self._paused

    def begin(self, turn: int) -> None:
        """The audio that follows belongs to this turn."""
        self._turn = turn

    def push(self, audio: bytes) -> None:
        """Have audio sent behind what waits."""
        if self._size + len(audio) > MAX_BYTES:
            self.dropped += len(audio)
            return
        if not self._stretches or self._stretches[-1].turn != self._turn:
            self._stretches.append(_Stretch(self._turn, bytearray()))
        self._stretches[-1].audio += audio
        self._size += len(audio)

    def take(self, size: int) -> bytes:
        """Return so many bytes of what waits, taken off, with silence behind it."""
        taken = b""
        while self._stretches and len(taken) < size and self._stretches[0].turn != self._paused:
            stretch = self._stretches[0]
            part = bytes(stretch.audio[: size - len(taken)])
            del stretch.audio[: len(part)]
            taken += part
            self._size -= len(part)
            self._played[stretch.turn] = self._played.get(stretch.turn, 0) + len(part)
            if not stretch.audio:
                self._stretches.popleft()
        return taken + self._silence * (size - len(taken))

    def reports(self) -> list[Played]:
        """Return how far turns have been played where that has grown by ``REPORT_MS``, or nothing of them is left."""
        found = []
        waiting = {stretch.turn for stretch in self._stretches}
        for turn, played in self._played.items():
            new = played - self._reported.get(turn, 0)
            if new >= REPORT_MS * BYTES_PER_MS or (new and turn not in waiting):
                found.append(self._report(turn))
        for turn in list(self._played)[:-TURNS_KEPT]:
            del self._played[turn], self._reported[turn]
        return found

    def clear(self, turn: int) -> Played:
        """Drop what waits of a turn."""
        self._stretches = deque(stretch for stretch in self._stretches if stretch.turn != turn)
        self._size = sum(len(stretch.audio) for stretch in self._stretches)
        self.resume(turn)
        return self._report(turn, stopped=True)

    def pause(self, turn: int) -> Played:
        """Have a turn wait."""
        self._paused = turn
        return self._report(turn, stopped=True)

    def resume(self, turn: int) -> None:
        """Let it go on."""
        if self._paused == turn:
            self._paused = None

    def _report(self, turn: int, *, stopped: bool = False) -> Played:
        played = self._played.setdefault(turn, 0)
        self._reported[turn] = played
        return Played(turn=turn, ms=round(played / BYTES_PER_MS, 1), stopped=stopped)
