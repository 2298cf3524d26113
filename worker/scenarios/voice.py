"""The scripted voice: speaks in tones, as fast as the scenario says, and tells when each word sounds if it is to."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator

from providers.mock.tones import speak
from voicebackend.audio import SAMPLE_BYTES
from voicebackend.errors import ConnectionFailed, PipelineError
from voicebackend.interfaces import TextToSpeech, WordTime
from worker.scenarios.format import TtsScript

CHARACTER_S = 0.06
"""Seconds that a byte of text takes to say: about 170 words a minute."""

_BREATH_S = 0.06
"""Silence after a text: what follows is a new word."""


class ScriptedTts(TextToSpeech):
    """Speaks word by word."""

    name = "scripted"

    def __init__(self, script: TtsScript) -> None:
        super().__init__()
        self._script = script
        self.sample_rate = script.sample_rate
        self.texts: list[str] = []
        """What it was given to say, in order."""
        self.failures = self.retries = 0
        """Texts that it failed on and was not given again; texts that it was given again."""
        self._failed_on: str | None = None

    async def synthesize(self, text: str) -> AsyncIterator[bytes | WordTime]:
        """Yield the text as tones, and each word's time before its audio."""
        self._note(text)
        await asyncio.sleep(self._script.delay)
        if len(self.texts) in self._script.fails_on:
            self._fail(text)
        at_s = 0.0
        for word, pcm in self._words(text):
            seconds = len(pcm) / SAMPLE_BYTES / self.sample_rate
            if self._script.word_times:
                yield WordTime(word.strip(), at_s, at_s + len(word.encode()) * CHARACTER_S)
            yield pcm
            at_s += seconds
            await asyncio.sleep(seconds / self._script.speed)
        yield bytes(round(_BREATH_S * self.sample_rate) * SAMPLE_BYTES)

    def _note(self, text: str) -> None:
        self.texts.append(text)
        if text == self._failed_on:
            self.failures -= 1
            self.retries += 1
        self._failed_on = None

    def _fail(self, text: str) -> None:
        self.failures += 1
        if self._script.retryable:
            self._failed_on = text
            raise ConnectionFailed("scripted tts", "scripted failure")
        raise PipelineError("scripted tts", "scripted failure")

    def _words(self, text: str) -> Iterator[tuple[str, bytes]]:
        for word in re.findall(r"\S+\s*", text):
            pcm = speak(word, self.sample_rate, CHARACTER_S)
            if word.rstrip().endswith(","):
                pcm += bytes(round(self._script.comma * self.sample_rate) * SAMPLE_BYTES)
            yield word, pcm
