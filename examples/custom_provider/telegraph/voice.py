"""Engine ``morse``: keys what it is given to say."""

from __future__ import annotations

from collections.abc import AsyncIterator

from telegraph.config import MorseConfig
from telegraph.sound import key
from voicebackend.audio import SAMPLE_BYTES
from voicebackend.interfaces import TextToSpeech, WordTime


class MorseVoice(TextToSpeech):
    """A word at a time, and when it sounds."""

    name = "morse"
    Config = MorseConfig
    sample_rate = 16_000

    def __init__(self, config: MorseConfig | None = None) -> None:
        self.settings = config or MorseConfig()
        super().__init__(self.settings)

    async def synthesize(self, text: str) -> AsyncIterator[bytes | WordTime]:
        """Yield the PCM of each word, after its time."""
        made_s = 0.0
        for word in text.split():
            pcm = key(word, self.sample_rate, self.settings.unit)
            if pcm:
                length_s = len(pcm) / SAMPLE_BYTES / self.sample_rate
                yield WordTime(word, made_s, made_s + length_s)
                yield pcm
                made_s += length_s
