"""Engine ``mock``: speaks in tones that can be read back exactly, or plays what its script holds."""

from __future__ import annotations

import asyncio
import random
import re
from collections import deque
from collections.abc import AsyncIterator, Iterator
from itertools import cycle
from typing import Annotated

from pydantic import ConfigDict, Field

from providers.mock.config import DEFAULT_RATE, DEFAULT_SPEECH_RATE, MIN_SPEECH_RATE_S, Rate, SpeechRate, Variation
from providers.mock.script import NO_DELAY, Delay, MockEngineConfig, Script
from providers.mock.sounds import PieceLength, pieces
from providers.mock.tones import speak
from voicebackend.audio import SAMPLE_BYTES
from voicebackend.interfaces import TextToSpeech, WordTime

_CHUNK_CHARACTERS = 8
"""Spoken in one piece; half a second at the usual rate."""


class MockTtsConfig(MockEngineConfig):
    """The script of a voice."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    delay: Delay = NO_DELAY
    """From the text to the first byte."""
    sample_rate: Rate = DEFAULT_RATE
    seconds_per_character: SpeechRate = DEFAULT_SPEECH_RATE
    varies: Variation = 0.0
    """Each text's pace differs by up to this share, at random: real voices never say it in quite the same time."""
    audio: tuple[bytes, ...] = ()
    """PCM at ``sample_rate``, base64 in JSON, played in turn whatever the text; empty speaks the text in tones."""
    piece: PieceLength | None = None
    """Seconds of ``audio`` that come at a time; all of it at once if not given."""
    speed: Annotated[float, Field(gt=0)] | None = None
    """How many times faster than it plays audio is made; as fast as it is taken if not given."""
    word_times: bool = False
    """Tell when each word of what is spoken in tones sounds."""


class MockTts(TextToSpeech):
    """A voice for machines."""

    name = "mock"
    Config = MockTtsConfig

    def __init__(self, config: MockTtsConfig | None = None) -> None:
        self.settings = config or MockTtsConfig()
        super().__init__(self.settings)
        self.sample_rate = self.settings.sample_rate
        self.script = Script("tts", self.settings.fault)
        self._audio = cycle(self.settings.audio)

    async def open(self) -> None:
        """Fail if the script says so."""
        self.script.opened()

    async def synthesize(self, text: str) -> AsyncIterator[bytes | WordTime]:
        """Yield the text as tones, ``providers.mock.tones.spoken`` reads them; nothing for blank text."""
        if not text.strip():
            return
        loop = asyncio.get_running_loop()
        due = loop.time() + self.settings.delay.total_seconds()
        await asyncio.sleep(due - loop.time())
        self.script.called()
        for piece in self._spoken(text):
            await asyncio.sleep(due - loop.time())
            yield piece
            if self.settings.speed and isinstance(piece, bytes):
                due += len(piece) / SAMPLE_BYTES / self.sample_rate / self.settings.speed

    def _spoken(self, text: str) -> Iterator[bytes | WordTime]:
        if self.settings.audio:
            length = self.settings.piece.total_seconds() if self.settings.piece else None
            yield from pieces(next(self._audio), length, self.sample_rate)
            return
        pace = self._pace()
        words = deque(self._word_times(text, pace) if self.settings.word_times else ())
        made = 0.0
        for start in range(0, len(text), _CHUNK_CHARACTERS):
            pcm = speak(text[start : start + _CHUNK_CHARACTERS], self.sample_rate, pace)
            made += len(pcm) / SAMPLE_BYTES / self.sample_rate
            while words and words[0].start_s < made:
                yield words.popleft()
            yield pcm

    def _pace(self) -> float:
        """Return the seconds that a character of the next text takes."""
        usual, varies = self.settings.seconds_per_character.total_seconds(), self.settings.varies
        pace = usual * (1 + random.uniform(-varies, varies))  # noqa: S311 - no secret
        return max(MIN_SPEECH_RATE_S, round(pace, 3))  # few different ones, for each makes its waves anew

    def _word_times(self, text: str, pace: float) -> Iterator[WordTime]:
        """Yield when each word sounds: every byte takes the same whole number of samples."""
        byte_s = round(self.sample_rate * pace) / self.sample_rate
        for word in re.finditer(r"\S+", text):
            start, end = (len(text[:at].encode("utf-8", "replace")) * byte_s for at in word.span())
            yield WordTime(word.group(), start, end)
