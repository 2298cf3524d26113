"""Engine ``elevenlabs``: a voice of ElevenLabs'."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from providers.elevenlabs.config import ElevenLabsTtsConfig
from providers.elevenlabs.speech_codec import Lines, Piece, body_of, path_of
from providers.elevenlabs.vendor import NAME, ElevenLabsEngine
from providers.elevenlabs.words import WordClock
from voicebackend.audio import whole_samples
from voicebackend.errors import InvalidFormat
from voicebackend.interfaces import TextToSpeech, WordTime

MAX_CHARACTERS = 5_000
"""Longest text; the pipeline hands over sentences, and some models take no more than this."""


class ElevenLabsTts(ElevenLabsEngine, TextToSpeech):
    """One request for each text; leaving it aborts the request."""

    Config = ElevenLabsTtsConfig

    def __init__(self, config: ElevenLabsTtsConfig) -> None:
        super().__init__(config)
        self.settings = config
        self.sample_rate = config.sample_rate

    async def check(self) -> None:
        """Ask for the voice's name: it must be the account's, or open to it."""
        await self.api.json("check", "GET", f"/v1/voices/{self.settings.voice_id}")

    async def synthesize(self, text: str) -> AsyncIterator[bytes | WordTime]:
        """Yield what is spoken as it is made; nothing for blank text.

        Raises:
            InvalidFormat: the text is longer than 5,000 characters, or the answer is no speech.
            VoiceBackendError: the vendor cannot be reached, or refuses.

        """
        if len(text) > MAX_CHARACTERS:
            raise InvalidFormat(NAME, f"a text to speak has at most {MAX_CHARACTERS} characters")
        if not text.strip():
            return
        clock, odd = WordClock(text), b""
        async with aclosing(self._pieces(text)) as pieces:
            async for piece in pieces:
                for word in clock.push(piece.letters) if piece.letters else ():
                    yield word
                whole, odd = whole_samples(odd + piece.audio)
                if whole:
                    yield whole

    async def _pieces(self, text: str) -> AsyncGenerator[Piece, None]:
        config = self.settings
        path, body = path_of(config), body_of(config, text)
        lines = Lines()
        async with self.api.stream("speak", "POST", path, body=body, binary=not config.word_times) as received:
            async for data in received:
                if not config.word_times:
                    yield Piece(data)
                    continue
                for piece in lines.push(data):
                    yield piece
            for piece in lines.flush():
                yield piece
