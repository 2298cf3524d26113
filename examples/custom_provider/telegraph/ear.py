"""Engine ``morse``: reads what a caller keys."""

from __future__ import annotations

from collections.abc import Callable

from telegraph.config import MorseConfig
from telegraph.sound import read
from voicebackend.audio import PIPELINE_RATE, SAMPLE_BYTES
from voicebackend.interfaces import Recognition, SpeechToText, SttStream

KEPT_BYTES = 60 * PIPELINE_RATE * SAMPLE_BYTES
"""Of an utterance, at most the last minute is read."""


class MorseEar(SpeechToText):
    """A millisecond or two for a minute of audio."""

    name = "morse"
    Config = MorseConfig

    def __init__(self, config: MorseConfig | None = None) -> None:
        self.settings = config or MorseConfig()
        super().__init__(self.settings)

    async def stream(self, on_partial: Callable[[Recognition], None]) -> SttStream:
        """Open an ear for one session."""
        return _Stream(self.settings.unit, on_partial)


class _Stream(SttStream):
    def __init__(self, unit_s: float, on_partial: Callable[[Recognition], None]) -> None:
        self._unit_s, self._on_partial = unit_s, on_partial
        self._heard = bytearray()

    async def push(self, pcm: bytes) -> None:
        """Keep it."""
        self._heard += pcm
        del self._heard[:-KEPT_BYTES]

    async def pause(self) -> None:
        """Report what was keyed so far."""
        self._on_partial(Recognition(text=self._text(), final=False, flushed=True))

    async def finish(self) -> Recognition:
        """Return what was keyed, and listen anew."""
        text = self._text()
        self._heard.clear()
        return Recognition(text=text, final=True)

    async def discard(self) -> None:
        """Forget it."""
        self._heard.clear()

    def _text(self) -> str:
        return read(bytes(self._heard), PIPELINE_RATE, self._unit_s)
