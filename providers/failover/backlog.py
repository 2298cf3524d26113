"""Caller audio that another speech-to-speech model would have to hear: what is not answered yet. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from voicebackend.audio import PIPELINE_RATE, SAMPLE_BYTES

SPEECH_S = 60.0
"""Seconds that are kept while the caller speaks, or waits for an answer; of more, the end."""
IDLE_S = 4.0
"""Seconds that are kept while nothing was noticed: a dead model notices nothing."""
BEFORE_S = 1.0
"""Seconds that are kept from before a model noticed speech."""
_BYTES_PER_S = PIPELINE_RATE * SAMPLE_BYTES


class Backlog:
    """16 kHz PCM in pieces that are numbered from 1."""

    def __init__(self) -> None:
        self._pieces: deque[bytes] = deque()
        self._size = self._last = self._began = 0
        self.ended = 0
        """Number of the last piece of what the caller said, once that was over."""
        self.cut = False
        """Speech was not kept whole."""

    def push(self, pcm: bytes) -> None:
        """Take more."""
        self._pieces.append(pcm)
        self._size += len(pcm)
        self._last += 1
        self.cut |= self._trim(SPEECH_S if self._began else IDLE_S) and bool(self._began)

    def begin(self) -> None:
        """The caller begins to speak."""
        if self._began <= self.ended:
            if not self._began:
                self._trim(BEFORE_S)
            self._began = self._last + 1

    def end(self) -> None:
        """The caller has fallen silent."""
        self.ended = self._last

    def answered(self) -> None:
        """What was said up to the last end needs no answer any more."""
        while self._pieces and self._first <= self.ended:
            self._drop()
        if self._began <= self.ended:
            self._began, self.cut = 0, False
        self.ended = 0

    def after(self, number: int) -> Iterator[tuple[int, bytes]]:
        """Yield pieces behind this one, those too that come meanwhile."""
        while self._last > number and self._pieces:
            number = max(number + 1, self._first)
            yield number, self._pieces[number - self._first]

    @property
    def _first(self) -> int:
        return self._last - len(self._pieces) + 1

    def _trim(self, seconds: float) -> bool:
        """Keep so much of the end; tell whether anything went."""
        went = False
        while self._size > seconds * _BYTES_PER_S and len(self._pieces) > 1:
            self._drop()
            went = True
        return went

    def _drop(self) -> None:
        self._size -= len(self._pieces.popleft())
