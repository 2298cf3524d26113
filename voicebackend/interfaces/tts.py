"""Text to speech."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from voicebackend.interfaces.engine import Engine


@dataclass(frozen=True, slots=True)
class WordTime:
    """When a word of the text sounds, in seconds from the start of that text's audio."""

    word: str
    start_s: float
    end_s: float


class TextToSpeech(Engine):
    """Speaks."""

    sample_rate: int = 24_000
    """Hz of what ``synthesize`` yields."""

    def synthesize(self, text: str) -> AsyncIterator[bytes | WordTime]:
        """Yield the PCM of a sentence or clause as it is made; closing the iterator stops the work.

        An engine that knows when each word sounds yields that too, in the order of the words and not later than their
        audio. Without it, words are taken to last as long as they are.
        """
        raise NotImplementedError
