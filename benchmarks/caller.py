"""A caller: speaks in real time, listens to the answer, and interrupts every second one.

Frames keep their due times even when this process is late, and turns are timed from when frames were *due*: a slow
machine counts against what is measured, as it would on a call.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from benchmarks.phone import LATE_S, Phone
from benchmarks.speech import FRAME_S, Saying

BARGE_IN_AFTER_S = 0.7
"""Seconds of the agent's speech heard before the caller cuts in."""
PAUSE_S = 0.3
"""Seconds from the agent's last audio to the caller's next turn."""
PATIENCE_S = 5.0
"""Seconds after which an answer is lost."""
_TOO_SOON_S = 0.005
"""Seconds before the script allows an answer: then it is not this turn's."""


@dataclass(slots=True)
class Tally:
    """What one or more callers saw while it counted; times in milliseconds."""

    e2e: list[float] = field(default_factory=list)
    by_saying: dict[str, list[float]] = field(default_factory=dict)
    """The same, by what was said."""
    barge_in: list[float] = field(default_factory=list)
    stages: dict[str, list[float]] = field(default_factory=dict)
    lost: int = 0
    premature: int = 0
    frames_out: int = 0
    late_out: int = 0
    frames_in: int = 0
    late_in: int = 0

    def add(self, other: Tally) -> None:
        """Add what others saw."""
        self.e2e += other.e2e
        self.barge_in += other.barge_in
        for mine, theirs in ((self.stages, other.stages), (self.by_saying, other.by_saying)):
            for name, times in theirs.items():
                mine.setdefault(name, []).extend(times)
        for name in ("lost", "premature", "frames_out", "late_out", "frames_in", "late_in"):
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Line(Protocol):
    """What a caller needs of a call, whoever's it is."""

    phone: Phone
    """What hears the answer."""
    latencies: list[dict[str, float]]
    """What the server says about each turn's stages, in milliseconds."""

    async def send(self, pcm: bytes) -> None:
        """Send a frame of the caller's."""


class Caller:
    """One caller on one line."""

    def __init__(self, line: Line, sayings: Iterator[Saying], quiet: bytes, *, scripted_s: float) -> None:
        self._line, self._sayings, self._quiet, self._scripted_s = line, sayings, quiet, scripted_s
        self._due = self._ended = 0.0
        self._said = ""
        self._counting, self._frames, self._late = False, 0, 0
        self.tally = Tally()

    def count(self, counting: bool) -> None:
        """Begin or end to count."""
        phone, tally = self._line.phone, self.tally
        if counting:
            self._frames, self._late = phone.frames, phone.late
        else:
            tally.frames_out, tally.late_out = phone.frames - self._frames, phone.late - self._late
        self._counting = counting

    async def talk(self, start: float, until: float) -> None:
        """Take turns from ``start`` to ``until``, seconds of the monotonic clock."""
        self._due = start
        barge_in = False
        while self._due < until:
            await self._say(next(self._sayings), barge_in=barge_in)
            await self._listen(then_barge_in=not barge_in)
            barge_in = not barge_in

    async def _say(self, saying: Saying, *, barge_in: bool) -> None:
        phone, onset, interrupting = self._line.phone, 0.0, False
        self._said = saying.name
        for number, frame in enumerate(saying.frames):
            if number == saying.onset:
                onset = self._due + FRAME_S
                interrupting = barge_in and phone.silent_at > onset - LATE_S
            await self._send(frame)
            if number == saying.end:
                if interrupting and self._counting:
                    self.tally.barge_in.append((phone.silent_at - onset) * 1000)
                self._ended = self._due
                phone.expect_reply()
                self._line.latencies.clear()

    async def _listen(self, *, then_barge_in: bool) -> None:
        phone = self._line.phone
        while phone.first is None and self._due < self._ended + PATIENCE_S:
            await self._send(self._quiet)
        if self._counting:
            self._score(phone.first)
        while phone.first is not None and self._due < (
            phone.first + BARGE_IN_AFTER_S if then_barge_in else phone.silent_at + PAUSE_S
        ):
            await self._send(self._quiet)

    def _score(self, first: float | None) -> None:
        if first is None:
            self.tally.lost += 1
            return
        e2e_s = first - self._ended
        if e2e_s < self._scripted_s - _TOO_SOON_S:
            self.tally.premature += 1
            return
        self.tally.e2e.append(e2e_s * 1000)
        self.tally.by_saying.setdefault(self._said, []).append(e2e_s * 1000)
        for stage, value in self._line.latencies[-1].items() if self._line.latencies else ():
            self.tally.stages.setdefault(stage, []).append(value)

    async def _send(self, frame: bytes) -> None:
        self._due += FRAME_S
        wait = self._due - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        if self._counting:
            self.tally.frames_in += 1
            self.tally.late_in += wait < -LATE_S or time.monotonic() > self._due + LATE_S
        await self._line.send(frame)
