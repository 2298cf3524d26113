"""The caller's latest audio, and from where another worker would have to hear again.

Pure: numbered frames in. What is kept is given to a recogniser once speech is noticed, and shown to turn detectors.
"""

from __future__ import annotations

from collections import deque

from voicebackend.audio import PIPELINE_RATE, SAMPLE_BYTES
from worker.pipelines.caller_voice import CallerVoice
from worker.pipelines.snapshot import EarSnapshot

PREROLL_S = 0.5
"""Seconds kept from before speech was noticed."""
EVIDENCE_S = 8.0
"""Seconds of an utterance that a turn detector is shown."""
LONG_S = 3.0
"""Seconds of an utterance from which on it is not heard again from its start, but from its last pause."""
SLACK_S, MOST_S = 5.5, 6.5
"""Seconds without a pause from which on a gap between two words does for one, and at last anything: it is recognised so
far, so that another worker has at most 8 s to hear again."""
_BYTES_PER_S = PIPELINE_RATE * SAMPLE_BYTES


class Recall:
    """One ear's. Frames are numbered from 1 as they came; what stands in for none has the number 0."""

    def __init__(self, *, voice: bool = False) -> None:
        self.voice = CallerVoice(wanted=voice)
        """All of the utterance under way, where a model is to hear it."""
        self._pieces: deque[tuple[int, bytes]] = deque()
        self._bytes = self._since_bytes = self._utterance_bytes = 0
        self._first = 0
        """Of the utterance under way; 0 where there is none."""
        self._text, self._speech_s = "", 0.0
        self._flushes = 0
        self._flushed_at: tuple[int, float] | None = None
        self.last = 0
        """Number of the last frame that was heard."""

    def keep(self, number: int, pcm: bytes, *, in_turn: bool) -> None:
        """Take a frame that was heard."""
        self.last = max(self.last, number)
        self._pieces.append((number, pcm))
        if in_turn:
            self.voice.keep(pcm)
        self._bytes += len(pcm)
        self._since_bytes += len(pcm) if in_turn else 0
        self._utterance_bytes += len(pcm) if in_turn else 0
        limit = (EVIDENCE_S if in_turn else PREROLL_S) * _BYTES_PER_S
        while self._pieces and self._bytes - len(self._pieces[0][1]) > limit:
            self._bytes -= len(self._pieces.popleft()[1])

    @property
    def audio(self) -> bytes:
        """Return what is kept."""
        return b"".join(pcm for _, pcm in self._pieces)

    @property
    def utterance_s(self) -> float:
        """Return the seconds of the utterance under way, as a recogniser has them; 0 where there is none."""
        return self._utterance_bytes / _BYTES_PER_S if self._first else 0.0

    def begin(self) -> None:
        """Speech was noticed: it began within what is kept."""
        self._first = self._oldest or self.last + 1
        self._text, self._speech_s = "", 0.0
        self._since_bytes = self._utterance_bytes = self._bytes
        self._flushes, self._flushed_at = 0, None
        self.voice.begin(self.audio)

    def end(self) -> None:
        """The turn is over and its words are known: nothing up to here is heard again."""
        self._pieces.clear()
        self.voice.end()
        self._bytes = self._utterance_bytes = self._first = 0
        self._text, self._speech_s = "", 0.0

    def flushing(self, speech_s: float) -> None:
        """The recogniser was told to tell all that was said so far."""
        self._flushes += 1
        self._flushed_at = (self.last + 1, speech_s) if self._flushes == 1 else None

    def flushed(self, text: str) -> None:
        """It told. What belongs to which pause is certain where only one was waited for."""
        self._flushes = max(0, self._flushes - 1)
        at, self._flushed_at = self._flushed_at, None
        if at is not None and self._first and self._since_bytes > LONG_S * _BYTES_PER_S:
            self._since_bytes = max(0, self.last + 1 - at[0]) * _FRAME_BYTES
            self._first, self._speech_s = at
            self._text = text

    def needs_flush(self, *, loud: bool) -> bool:
        """Tell whether an utterance without a pause must be recognised so far."""
        if self._flushes:
            return False
        return self._since_bytes > (MOST_S if loud else SLACK_S) * _BYTES_PER_S

    @property
    def _oldest(self) -> int:
        return next((number for number, _ in self._pieces if number), 0)

    def snapshot(self, following: int, before: EarSnapshot) -> EarSnapshot:
        """Return where to hear again from; ``following`` is the next frame that is not heard yet."""
        first = self._first or self._oldest or following
        text = f"{before.text} {self._text}".strip() if self._first else ""
        speech_s = before.speech_s + self._speech_s if text else 0.0
        return EarSnapshot(first=first, text=text, speech_s=round(speech_s, 2), in_turn=bool(self._first))


_FRAME_BYTES = 640
