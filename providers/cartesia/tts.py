"""Engine ``cartesia`` for text to speech: a context for each clause, on connections that all sessions share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from uuid import uuid4

from providers.cartesia.config import CartesiaTtsConfig
from providers.cartesia.connections import Connections
from providers.cartesia.contexts import MAX_AHEAD_S, Context
from providers.cartesia.tts_codec import PATH, Told, WordClock, speech_request
from providers.cartesia.vendor import CartesiaEngine
from providers.engines.pool import opened
from voicebackend.audio import SAMPLE_BYTES, whole_samples
from voicebackend.errors import ConnectionTimeout, InvalidFormat
from voicebackend.interfaces import TextToSpeech, WordTime

MAX_CHARACTERS = 10_000
"""Longest text; the pipeline hands over sentences."""


class CartesiaTts(CartesiaEngine[CartesiaTtsConfig], TextToSpeech):
    """One of the vendor's voices."""

    Config = CartesiaTtsConfig

    def __init__(self, config: CartesiaTtsConfig) -> None:
        super().__init__(config)
        self.sample_rate = config.sample_rate
        self._connections: Connections | None = None

    async def open(self) -> None:
        """Make ready; the first text connects."""
        await super().open()
        if self._connections is None:
            keep_s = self.settings.keep_open.total_seconds()
            self._connections = Connections(partial(self.api.connect, "tts", PATH), keep_s=keep_s)

    async def aclose(self) -> None:
        """Close every connection."""
        connections, self._connections = self._connections, None
        if connections is not None:
            await connections.aclose()
        await super().aclose()

    async def synthesize(self, text: str) -> AsyncIterator[bytes | WordTime]:
        """Yield a text's audio as it is made, with the times of its words; text without words yields nothing.

        Raises:
            InvalidFormat: the text is longer than 10,000 characters.
            VoiceBackendError: the vendor refuses it, breaks off, or falls silent.

        """
        connections = opened(self._connections, "cartesia.tts")
        if len(text) > MAX_CHARACTERS:
            raise InvalidFormat("cartesia.tts", f"a text to speak has at most {MAX_CHARACTERS} characters")
        if not any(character.isalnum() for character in text):
            return
        name, clock, odd = uuid4().hex, WordClock(), b""
        context = Context(name, MAX_AHEAD_S * self.sample_rate * SAMPLE_BYTES)
        async with connections.context(context, speech_request(self.settings, name, text)):
            wait_s = self.settings.first_byte_timeout.total_seconds()
            while not (told := await _next(context, wait_s)).done:
                for word in told.words:
                    yield clock.after_last(word)
                whole, odd = whole_samples(odd + told.pcm)
                if whole:
                    yield whole
                wait_s = self.settings.idle_timeout.total_seconds()


async def _next(context: Context, seconds: float) -> Told:
    try:
        async with asyncio.timeout(seconds):
            return await context.next()
    except TimeoutError:
        raise ConnectionTimeout("cartesia.tts", "speech did not come in time") from None
