"""Engine ``hibari``: hibari-tts (Apache-2.0), an English voice that runs over 100 times faster than real time."""

from __future__ import annotations

import asyncio
import textwrap
from collections.abc import AsyncIterator, Iterator
from typing import Any

from providers.engines.pool import Pool, opened
from voicebackend.audio import from_floats
from voicebackend.errors import InvalidFormat
from voicebackend.interfaces import EngineConfig, TextToSpeech, WordTime

MAX_CHARACTERS = 10_000
"""Longest text; the pipeline hands over sentences."""
_BREATH_CHARACTERS = 250
"""Spoken at once, 15 s or so: a sentence without end must not hold a thread for half a minute."""


class Hibari(TextToSpeech):
    """Voice ``heart``; the same text always gives the same audio."""

    name = "hibari"
    sample_rate = 24_000

    def __init__(self, config: EngineConfig | None = None) -> None:
        super().__init__(config)
        self._pool = Pool("hibari")
        self._opening = asyncio.Lock()
        self._voice: Any = None

    async def open(self) -> None:
        """Load and warm the voice: 0.5 s, 200 MB."""
        async with self._opening:
            if self._voice is None:
                self._voice = await self._pool.submit("open hibari", _load)

    async def aclose(self) -> None:
        """Release the voice."""
        self._voice = None
        self._pool.close()

    async def synthesize(self, text: str) -> AsyncIterator[bytes | WordTime]:
        """Yield a sentence at a time; text without words yields nothing. Markup is the caller's to take out.

        Raises:
            InvalidFormat: the text is longer than 10,000 characters.

        """
        voice = opened(self._voice, "hibari")
        if len(text) > MAX_CHARACTERS:
            raise InvalidFormat("hibari", f"a text to speak has at most {MAX_CHARACTERS} characters")
        if not any(character.isalnum() for character in text):
            return  # the voice would breathe for "..."
        chunks = _chunks(voice, text)
        while (pcm := await self._pool.submit("hibari", lambda: next(chunks, None))) is not None:
            yield pcm


def _load() -> Any:
    from hibari import Hibari as Voice

    voice = Voice()
    list(_chunks(voice, "Ready."))  # its text front end loads with the first sentence
    return voice


def _chunks(voice: Any, text: str) -> Iterator[bytes]:
    """Yield the PCM of each sentence, of a long one in parts; runs in a thread, one step at a time."""
    for sentence in voice.split_sentences(text):
        for part in textwrap.wrap(sentence, _BREATH_CHARACTERS):
            for samples in voice.stream(part, seed=0):
                if len(samples):
                    yield from_floats(samples)
