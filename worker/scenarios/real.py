"""The real cast: offline engines hear and speak, a synthetic voice or a recording calls, and a recogniser listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from providers.local.provider import DEFAULT_ENGINES
from providers.registry import ENGINES
from providers.transcribe import transcribe
from voicebackend.audio import PIPELINE_RATE, resample, to_pcm, to_samples
from voicebackend.codecs.wav import read_wav
from voicebackend.errors import VoiceBackendError
from voicebackend.interfaces import Engine, Engines, Recognition, SpeechToText, SttStream, TextToSpeech, WordTime
from worker.scenarios.format import Scenario
from worker.scenarios.loudspeaker import Turn
from worker.scenarios.sounds import shape
from worker.scenarios.steps import Noise, NoiseKind, Say
from worker.scenarios.tape import Tape, Word
from worker.scenarios.timeline import Finder

STT, TTS = "moonshine", "hibari"
LISTEN_S = 0.3
"""Seconds between two times that what was heard is read."""
_PEAKS = {NoiseKind.HUM: 500.0, NoiseKind.MUSIC: 3000.0, NoiseKind.BABBLE: 2500.0, NoiseKind.ECHO: 2500.0}
_LOUD_PEAK = 10_000.0
_SILENT = 200
"""Samples below this at the ends of synthetic speech are cut off."""


class SpokenTape(Tape):
    """Keeps real speech until somebody has listened to it."""

    def __init__(self, sample_rate: int) -> None:
        super().__init__(sample_rate)
        self.pcm = bytearray()
        self.listened = 0
        """Bytes that have been listened to."""
        self._text = ""

    @property
    def text(self) -> str:
        """What was understood so far."""
        return self._text

    def push(self, pcm: bytes) -> None:
        """Take more audio."""
        self.pcm += pcm

    def flush(self) -> None:
        """Nothing waits to be read."""

    async def listen(self, stt: SpeechToText) -> None:
        """Understand all of it anew, if there is more."""
        if self.listened < len(self.pcm):
            self.listened = len(self.pcm)
            self._text = await transcribe(stt, resample(bytes(self.pcm), self._rate, PIPELINE_RATE))

    def words(self) -> list[Word]:
        """Return the words, at their share of the audio."""
        words, length = self._text.split(), max(1, len(self._text))
        starts = [len(" ".join(words[:at])) for at in range(len(words))]
        samples = self.listened // 2
        return [Word(word, samples * start // length) for word, start in zip(words, starts, strict=True)]


class RealEar:
    """Listens with a recogniser."""

    def __init__(self, stt: SpeechToText) -> None:
        self._stt = stt
        self._tapes: list[SpokenTape] = []

    def tape(self, sample_rate: int) -> Tape:
        """Return a tape for one turn."""
        tape = SpokenTape(sample_rate)
        self._tapes.append(tape)
        return tape

    async def run(self) -> None:
        """Listen as the conversation goes on."""
        while True:
            await asyncio.sleep(LISTEN_S)
            for tape in self._tapes:
                await tape.listen(self._stt)

    async def text(self, turn: Turn) -> tuple[str, str]:
        """Return what was heard of a turn; where it was cut off, nobody can say what word had begun."""
        assert isinstance(turn.tape, SpokenTape)  # noqa: S101 - ours
        await turn.tape.listen(self._stt)
        return turn.tape.text, ""


class RealSpeaker:
    """Speaks with the synthetic voice, or by a recording beside the scenario."""

    def __init__(self, engines: Engines, folder: Path) -> None:
        self._tts, self._folder = engines.tts, folder

    async def say(self, step: Say, text: str) -> bytes:
        """Return 16 kHz speech."""
        if step.recording is not None:
            pcm, rate = read_wav(self._folder / step.recording)
        else:
            assert self._tts is not None  # noqa: S101 - the cast has one
            made = [piece async for piece in self._tts.synthesize(text)]
            pcm, rate = b"".join(piece for piece in made if isinstance(piece, bytes)), self._tts.sample_rate
        return _trimmed(resample(pcm, rate, PIPELINE_RATE))

    def noise(self, step: Noise) -> bytes:
        """Return the noise as it is."""
        return to_pcm(shape(step.noise, step.lasts) * _PEAKS.get(step.noise, _LOUD_PEAK))


class CountedStt(SpeechToText):
    """A recogniser that counts its streams."""

    name = "counted"

    def __init__(self, stt: SpeechToText) -> None:
        super().__init__()
        self._stt = stt
        self.streams = 0

    async def stream(self, on_partial: Callable[[Recognition], None]) -> SttStream:
        """Open an ear."""
        self.streams += 1
        return await self._stt.stream(on_partial)


class CountedTts(TextToSpeech):
    """A voice that counts the texts it is given again after it failed on them."""

    name = "counted"

    def __init__(self, tts: TextToSpeech) -> None:
        super().__init__()
        self._tts, self.sample_rate = tts, tts.sample_rate
        self.retries = 0
        self._failed_on: str | None = None

    async def synthesize(self, text: str) -> AsyncIterator[bytes | WordTime]:
        """Yield what the voice makes of it."""
        self.retries += text == self._failed_on
        self._failed_on = None
        try:
            async with aclosing(self._tts.synthesize(text)) as audio:  # type: ignore[type-var]
                async for made in audio:
                    yield made
        except VoiceBackendError:
            self._failed_on = text
            raise


class RealCast:
    """The engines that provider ``local`` takes by itself; loaded once per process."""

    finder = Finder(loose=True)
    speaker: RealSpeaker
    ear: RealEar

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def open(self) -> None:
        """Load the engines.

        Raises:
            InvalidConfig: one is not installed.

        """
        self._engines = _engines()
        for engine in self._engines.all():
            await engine.open()
        assert self._engines.stt is not None  # noqa: S101 - named above
        self.speaker, self.ear = RealSpeaker(self._engines, self._folder), RealEar(self._engines.stt)

    def engines(self, scenario: Scenario) -> Engines:
        """Return the engines."""
        del scenario
        stt, tts = self._engines.stt, self._engines.tts
        assert stt is not None  # noqa: S101 - the cast has both
        assert tts is not None  # noqa: S101
        return replace(self._engines, stt=CountedStt(stt), tts=CountedTts(tts))


@lru_cache(maxsize=1)
def _engines() -> Engines:
    named = {"stt": STT, "tts": TTS, **DEFAULT_ENGINES}
    made: dict[str, Engine] = {role: ENGINES[role].create(name) for role, name in named.items()}
    return Engines(**made)  # type: ignore[arg-type]  # each role's registry makes its kind


def _trimmed(pcm: bytes) -> bytes:
    samples = to_samples(pcm)
    loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > _SILENT)
    return samples[loud[0] : loud[-1] + 1].tobytes() if len(loud) else pcm
