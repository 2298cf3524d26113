"""One answer as a speech-to-speech model gives it: audio as it comes, and the text that goes with it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable

from voicebackend.audio import SAMPLE_BYTES
from voicebackend.interfaces import S2sEvent, WordTime
from voicebackend.telemetry import frames_dropped
from worker.pipelines.saying import Saying
from worker.speech.clauses import Clause
from worker.speech.unit import verbatim

READY_S = 120.0
"""Seconds of audio that may wait to be played; what comes beyond is dropped."""
MAX_TEXT = 8_000
"""Characters of text that are kept."""
FASTEST_MS = 25.0
"""Of speech for a character. Text that comes with less audio than that has run ahead of it, and tells no times."""
_MARKS = re.compile(r"^[\W_]+|[\W_]+$")
"""Around words; they have no time of their own."""


class ModelTurn:
    """Takes the model's events without waiting; ``audio`` gives its PCM to who plays it."""

    def __init__(self, sample_rate: int) -> None:
        self._bytes_per_s = sample_rate * SAMPLE_BYTES
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._waiting_bytes = self._heard_bytes = 0
        self._odd = b""
        self._text = self._untimed = ""
        self._timed_s = self._tone_s = 0.0
        self._spoken = False
        self.saying = Saying(Clause("", "", ()))
        """Its text so far, and when the words of it sound."""
        self.on_text: Callable[[str], None] = lambda text: None
        """Told what more of the text has come."""
        self.dropped = False
        """Nobody wants to hear the rest."""

    def __repr__(self) -> str:
        state = "dropped" if self.dropped else f"{self._received_s:.2f} s"
        return f"<ModelTurn [{state}, {len(self._text)} characters]>"

    async def audio(self) -> AsyncGenerator[bytes, None]:
        """Yield whole samples until the model has finished."""
        while (pcm := await self._pieces.get()) is not None:
            self._waiting_bytes -= len(pcm)
            yield pcm

    def take(self, event: S2sEvent) -> None:
        """Take what belongs to this answer."""
        if self.dropped:
            return
        match event.kind:
            case "audio":
                self._spoken = True
                self._hear(event.pcm)
            case "hold_tone":
                self._hear(event.pcm)
                self._tone_s = self._received_s
            case "agent_text":
                self._read(event)
            case _:
                self._end()

    def drop(self) -> None:
        """Take nothing more."""
        self.dropped = True

    def own_ms(self, played_ms: float) -> float | None:
        """Return how much of what was played is the model's; None if it has said nothing: all was the hold tone."""
        return max(0.0, played_ms - self._tone_s * 1000) if self._spoken or not self._tone_s else None

    @property
    def _received_s(self) -> float:
        return self._heard_bytes / self._bytes_per_s

    def _hear(self, pcm: bytes) -> None:
        """Keep whole samples; one that is cut in two is put together with what comes next."""
        if not isinstance(pcm, (bytes, bytearray, memoryview)):
            frames_dropped.add(1, {"where": "s2s malformed"})
            return
        if self._waiting_bytes + len(pcm) > READY_S * self._bytes_per_s:
            frames_dropped.add(1, {"where": "s2s playout"})
            return
        data = self._odd + pcm
        whole = len(data) - len(data) % SAMPLE_BYTES
        pcm, self._odd = data[:whole], data[whole:]
        if pcm:
            self._waiting_bytes += len(pcm)
            self._heard_bytes += len(pcm)
            self._pieces.put_nowait(pcm)

    def _read(self, event: S2sEvent) -> None:
        text = event.text if event.final else self._text + event.text
        more = text.removeprefix(self._text) if event.final else event.text
        if event.words:
            self.saying.words += [
                WordTime(word.word, word.start_s + self._tone_s, word.end_s + self._tone_s) for word in event.words
            ]
        elif not event.final:
            self._time(event.text)
        self._text = text.lstrip()[:MAX_TEXT]
        self.saying.clause = Clause(self._text, self._text, verbatim(self._text))
        if more:
            self.on_text(more[:MAX_TEXT])

    def _time(self, text: str) -> None:
        """Take it that what came before has sounded by now, where it has come in step with its audio."""
        spoken_s = self._received_s - self._timed_s
        if self._untimed and spoken_s * 1000 >= len(self._untimed) * FASTEST_MS:
            self.saying.words.append(WordTime(_MARKS.sub("", self._untimed), self._timed_s, self._received_s))
            self._untimed, self._timed_s = "", self._received_s
        self._untimed += text

    def _end(self) -> None:
        if self._odd:
            frames_dropped.add(1, {"where": "s2s malformed"})
        self._pieces.put_nowait(None)
