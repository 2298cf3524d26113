"""Engines for conversations in virtual time: a letter is 60 ms of one sample value, so audio reads back exactly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import numpy as np

from voicebackend.audio import PIPELINE_RATE
from voicebackend.errors import VoiceBackendError
from voicebackend.interfaces import (
    Engines,
    Recognition,
    SpeechToText,
    SttStream,
    TextToSpeech,
    TurnDetector,
    TurnEvidence,
    VadStream,
    VoiceActivityDetector,
    WordTime,
)

LETTER_S = 0.06
"""Seconds that a letter sounds."""
COUGH = 7
"""A sound that is no letter."""
_LETTER = round(LETTER_S * PIPELINE_RATE)
_FRAME = 640
"""Bytes in 20 ms."""


def sound(text: str) -> bytes:
    """Return the audio of a text of ASCII letters, 16 kHz; ``chr(COUGH)`` is a sound without words."""
    return b"".join(np.full(_LETTER, _level(ord(letter)), "<i2").tobytes() for letter in text)


def text_of(pcm: bytes, share: float = 0.66) -> str:
    """Return the letters of this audio; this share of a letter counts as one, less does not."""
    samples = np.frombuffer(pcm, "<i2")
    if not len(samples):
        return ""
    edges = np.flatnonzero(np.diff(samples)) + 1
    starts, ends = [0, *edges.tolist()], [*edges.tolist(), len(samples)]
    runs = [(int(samples[start]), (end - start) / _LETTER) for start, end in zip(starts, ends, strict=True)]
    return "".join(
        chr(level // 100) * int(letters + 1 - share) for level, letters in runs if level >= 100 * (COUGH + 1)
    )


def _level(code: int) -> int:
    return code * 100


class Loudness(VoiceActivityDetector):
    """Takes whatever is not zero for speech; a decision every 20 ms."""

    name = "loudness"
    frame_s = 0.02

    def stream(self) -> VadStream:
        """Open a detector."""
        return _LoudnessStream()


class _LoudnessStream(VadStream):
    def process(self, pcm: bytes) -> list[float]:
        """Judge frame by frame by its first sample."""
        return [float(any(pcm[at : at + 2])) for at in range(0, len(pcm), _FRAME)]

    def reset(self) -> None:
        """Nothing is remembered."""


@dataclass
class Reader(SpeechToText):
    """Reads letters back; ``delay_s`` from a pause to its result."""

    name = "reader"
    delay_s: float = 0.1
    fails_at: frozenset[int] = frozenset()
    """Which calls of ``finish`` fail, from 1."""
    streams: int = 0
    finished: int = 0

    async def stream(self, on_partial: Callable[[Recognition], None]) -> SttStream:
        """Open an ear."""
        self.streams += 1
        return _ReaderStream(self, on_partial)


class _ReaderStream(SttStream):
    def __init__(self, reader: Reader, on_partial: Callable[[Recognition], None]) -> None:
        self._reader, self._on_partial = reader, on_partial
        self._pcm, self._told, self._reported = bytearray(), 0, 0
        self._ready_at: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def push(self, pcm: bytes) -> None:
        """Report the words that are whole, every 0.2 s."""
        self._pcm += pcm
        if len(self._pcm) - self._told >= _FRAME * 10:
            self._told = len(self._pcm)
            whole = text_of(bytes(self._pcm)).rpartition(" ")[0]
            if len(whole) > self._reported:
                self._reported = len(whole)
                self._on_partial(Recognition(text=whole, final=False))

    async def pause(self) -> None:
        """Report all of it after the delay."""
        loop, text = asyncio.get_running_loop(), text_of(bytes(self._pcm))
        self._cancel()
        self._reported = len(text)
        self._ready_at = loop.time() + self._reader.delay_s
        report = Recognition(text=text, final=False, flushed=True)
        self._timer = loop.call_at(self._ready_at, lambda: self._on_partial(report))

    async def finish(self) -> Recognition:
        """Return all of it, once the delay since the pause is over."""
        loop, text = asyncio.get_running_loop(), text_of(bytes(self._pcm))
        due = loop.time() + self._reader.delay_s if self._ready_at is None else self._ready_at
        self._cancel()
        self._pcm, self._told, self._reported, self._ready_at = bytearray(), 0, 0, None
        await asyncio.sleep(max(0.0, due - loop.time()))
        self._reader.finished += 1
        if self._reader.finished in self._reader.fails_at:
            raise VoiceBackendError("reader", "scripted failure")
        return Recognition(text=text, final=True)

    async def aclose(self) -> None:
        """End it."""
        self._cancel()

    def _cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


@dataclass
class Voice(TextToSpeech):
    """Speaks letters, a fifth of a second at a time; fails where the script says."""

    name = "voice"
    sample_rate: int = PIPELINE_RATE
    delay_s: float = 0.08
    """From the text to its first audio."""
    errors: dict[int, Exception] = field(default_factory=dict)
    """What the calls, counted from 1, raise."""
    after: int = 0
    """Pieces that a failing call yields before."""
    calls: int = 0
    said: list[str] = field(default_factory=list)

    async def synthesize(self, text: str) -> AsyncIterator[bytes | WordTime]:
        """Yield the audio."""
        self.calls += 1
        error = self.errors.get(self.calls)
        self.said.append(text)
        await asyncio.sleep(self.delay_s)
        pcm = sound(text)
        pieces = [pcm[at : at + _FRAME * 10] for at in range(0, len(pcm), _FRAME * 10)]
        for piece in pieces if error is None else pieces[: self.after]:
            yield piece
            await asyncio.sleep(0.001)
        if error is not None:
            raise error


@dataclass
class Judge(TurnDetector):
    """Finds every turn as likely to be over as told."""

    name = "judge"
    probability: float = 0.95
    delay_s: float = 0.0
    error: Exception | None = None

    async def end_of_turn(self, evidence: TurnEvidence) -> float:
        """Return it, or fail."""
        del evidence
        await asyncio.sleep(self.delay_s)
        if self.error is not None:
            raise self.error
        return self.probability


@dataclass
class Script:
    """The engines of one conversation."""

    reader: Reader = field(default_factory=Reader)
    voice: Voice = field(default_factory=Voice)
    judge: Judge | None = field(default_factory=Judge)

    def engines(self) -> Engines:
        """Return them as a pipeline takes them."""
        return Engines(stt=self.reader, tts=self.voice, vad=Loudness(), turn=self.judge)
