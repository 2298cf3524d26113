"""Text to speech."""

from __future__ import annotations

from collections.abc import AsyncIterator

from voicebackend.interfaces.engine import Engine


class TextToSpeech(Engine):
    """Speaks."""

    sample_rate: int = 24_000
    """Hz of what ``synthesize`` yields."""

    def synthesize(self, text: str) -> AsyncIterator[bytes]:
        """Yield the PCM of a sentence or clause as it is made; closing the iterator stops the work."""
        raise NotImplementedError
