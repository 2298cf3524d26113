"""Engine ``mock``: speaks in tones that can be read back exactly, or plays what its script holds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from itertools import cycle

from pydantic import ConfigDict

from providers.mock.config import DEFAULT_RATE, DEFAULT_SPEECH_RATE, Rate, SpeechRate
from providers.mock.script import NO_DELAY, Delay, MockEngineConfig, Script
from providers.mock.tones import speak
from voicebackend.interfaces import TextToSpeech

_CHUNK_CHARACTERS = 8
"""Spoken in one piece; half a second at the usual rate."""


class MockTtsConfig(MockEngineConfig):
    """The script of a voice."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    delay: Delay = NO_DELAY
    """From the text to the first byte."""
    sample_rate: Rate = DEFAULT_RATE
    seconds_per_character: SpeechRate = DEFAULT_SPEECH_RATE
    audio: tuple[bytes, ...] = ()
    """PCM at ``sample_rate``, base64 in JSON, played in turn whatever the text; empty speaks the text in tones."""


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

    async def synthesize(self, text: str) -> AsyncIterator[bytes]:
        """Yield the text as tones, ``providers.mock.tones.spoken`` reads them; nothing for blank text."""
        if not text.strip():
            return
        await asyncio.sleep(self.settings.delay.total_seconds())
        self.script.called()
        if self.settings.audio:
            yield next(self._audio)
            return
        pace = self.settings.seconds_per_character.total_seconds()
        for start in range(0, len(text), _CHUNK_CHARACTERS):
            yield speak(text[start : start + _CHUNK_CHARACTERS], self.sample_rate, pace)
            await asyncio.sleep(0)
