"""Engine ``mock``: recognises what its script says, or what mock speech says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import cycle

from providers.mock.config import DEFAULT_LINES, Lines
from providers.mock.script import NO_DELAY, Delay, MockEngineConfig, Script
from providers.mock.tones import spoken
from voicebackend.audio import PIPELINE_RATE, SAMPLE_BYTES
from voicebackend.interfaces import Recognition, SpeechToText, SttStream

_BYTES_PER_S = PIPELINE_RATE * SAMPLE_BYTES
_KEPT_BYTES = 60 * _BYTES_PER_S
"""Of an utterance, at most this much of its end is decoded."""
_WORD_BYTES = _BYTES_PER_S // 5
"""Caller audio after which one more word is reported: 200 ms."""


class MockSttConfig(MockEngineConfig):
    """The script of an ear."""

    transcripts: Lines = DEFAULT_LINES
    """What is recognised, whatever the caller says; each session starts with the first."""
    decode: bool = False
    """Recognise what ``providers.mock.tones`` spoke instead."""
    partials: bool = True
    """Report a word more every 200 ms, and all of them at a pause."""
    delay: Delay = NO_DELAY
    """From the last ``pause``, or else ``finish``, to the result."""


class MockStt(SpeechToText):
    """A scripted recogniser."""

    name = "mock"
    Config = MockSttConfig

    def __init__(self, config: MockSttConfig | None = None) -> None:
        self.settings = config or MockSttConfig()
        super().__init__(self.settings)
        self.script = Script("stt", self.settings.fault)

    async def open(self) -> None:
        """Fail if the script says so."""
        self.script.opened()

    async def stream(self, on_partial: Callable[[Recognition], None]) -> SttStream:
        """Open an ear for one session."""
        return _Stream(self.settings, self.script, on_partial)


class _Stream(SttStream):
    def __init__(self, settings: MockSttConfig, script: Script, on_partial: Callable[[Recognition], None]) -> None:
        self._settings = settings
        self._script = script
        self._on_partial = on_partial
        self._lines: Iterator[str] = cycle(settings.transcripts)
        self._delay_s = settings.delay.total_seconds()
        self._begin()

    def _begin(self) -> None:
        self._line: str | None = None
        self._kept = bytearray()
        self._heard = 0
        self._ready_at: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    async def push(self, pcm: bytes) -> None:
        """Take audio; digital silence before speech is nothing."""
        if self._line is None and not any(pcm):
            return
        if self._line is None:
            self._line = "" if self._settings.decode else next(self._lines)
        words = self._heard // _WORD_BYTES
        self._heard += len(pcm)
        if self._settings.decode:
            self._kept += pcm
            del self._kept[:-_KEPT_BYTES]
        elif self._heard // _WORD_BYTES > words:
            self._report(" ".join(self._line.split()[: self._heard // _WORD_BYTES]))

    async def pause(self) -> None:
        """Start on the result; it is reported when it is there."""
        self._cancel_timer()
        loop = asyncio.get_running_loop()
        self._ready_at = loop.time() + self._delay_s
        self._timer = loop.call_later(self._delay_s, self._flush)

    async def finish(self) -> Recognition:
        """Return the script's next line once its delay is over, or fail as it says."""
        self._cancel_timer()
        text, ready_at = self._text(), self._ready_at
        self._begin()
        now = asyncio.get_running_loop().time()
        await asyncio.sleep(max(0.0, (now + self._delay_s if ready_at is None else ready_at) - now))
        self._script.called()
        return Recognition(text=text, final=True)

    async def discard(self) -> None:
        """Forget the utterance; its line is not said again."""
        self._cancel_timer()
        self._begin()

    async def aclose(self) -> None:
        """End the stream."""
        self._cancel_timer()

    def _text(self) -> str:
        """Return all that was said; decoding takes about 1 ms for a second of audio."""
        return spoken(bytes(self._kept), PIPELINE_RATE) if self._settings.decode else self._line or ""

    def _report(self, text: str) -> None:
        if text and self._settings.partials:
            self._on_partial(Recognition(text=text, final=False))

    def _flush(self) -> None:
        self._on_partial(Recognition(text=self._text(), final=False, flushed=True))

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
