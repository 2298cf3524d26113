"""Caller audio on its way into the ear: in order, bounded, and silence where none comes."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, NamedTuple, TypeVar

from voicebackend.audio import PIPELINE_RATE, SAMPLE_BYTES
from voicebackend.telemetry import frames_dropped

Note = TypeVar("Note")

QUEUE_FRAMES = 300
"""Frames that may wait to be heard: 6 s; then the oldest go."""
AGAIN_FRAMES = 700
"""Frames that may wait to be heard again: more than a lane keeps."""
GAP_S = 0.2
"""Seconds without audio within a turn that are taken for silence, a muted or lost caller: more than jitter."""
CONFIRM_S = 0.01
"""Seconds given to audio that is here already and was not read yet, because this process was busy."""
STEP_S = 0.02
"""Seconds of silence at a time from then on."""


class Piece(NamedTuple):
    """Caller audio."""

    pcm: bytes
    number: int = 0
    """As it came, from 1; 0 is silence where none came."""


class Intake(Generic[Note]):
    """One session's. ``push`` never waits; one task reads. Beside audio it carries notes of the ear to itself."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._items: deque[Piece | Note] = deque()
        self._reader: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._in_turn = self._suspected = self._again = False
        self._until = 0.0  # up to when there was audio, or silence in its place; seconds of the loop's clock

    def __len__(self) -> int:
        return len(self._items)

    @property
    def oldest(self) -> int:
        """Number of the oldest frame that waits; 0 if none does."""
        return next((item.number for item in self._items if isinstance(item, Piece) and item.number), 0)

    def push(self, pcm: bytes, number: int, *, again: bool = False) -> None:
        """Take audio."""
        if len(self._items) >= (AGAIN_FRAMES if again or self._again else QUEUE_FRAMES):
            self._items.popleft()
            frames_dropped.add(1, {"where": "ear"})
        self._again = again or (self._again and bool(self._items))
        self._until, self._suspected = self._loop.time(), False
        self.note(Piece(pcm, number))

    def note(self, item: Piece | Note) -> None:
        """Take something to be read in its turn."""
        self._items.append(item)
        if self._reader is not None and not self._reader.done():
            self._reader.set_result(None)

    async def next(self, *, in_turn: bool) -> Piece | Note:
        """Return what comes next; within a turn, silence if nothing does."""
        if in_turn and not self._in_turn:
            self._until = self._loop.time()
        self._in_turn = in_turn
        while not self._items:
            if in_turn and self._timer is None:
                self._look_in(GAP_S)
            self._reader = self._loop.create_future()
            await self._reader
        return self._items.popleft()

    def close(self) -> None:
        """Look for silence no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look_in(self, seconds: float) -> None:
        self._timer = self._loop.call_later(seconds, self._look)

    def _look(self) -> None:
        """See whether audio has stopped to come; one timer does for many frames."""
        self._timer = None
        if not self._in_turn or self._items:
            return
        silent_s = self._loop.time() - self._until
        if silent_s < (STEP_S if self._suspected else GAP_S) - 1e-9:
            self._look_in(GAP_S - silent_s)
        elif not self._suspected:
            self._suspected = True
            self._look_in(CONFIRM_S)
        else:
            self._until = self._loop.time()
            self.note(Piece(bytes(round(silent_s * PIPELINE_RATE) * SAMPLE_BYTES)))
            self._look_in(STEP_S)
