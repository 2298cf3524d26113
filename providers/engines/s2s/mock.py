"""Engine ``mock``: a speech-to-speech model by script. The caller says something, falls silent, and is answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from itertools import cycle
from typing import Any

from pydantic import ConfigDict

from providers.mock.config import DEFAULT_LINES, DEFAULT_RATE, DEFAULT_SPEECH_RATE, Lines, Rate, SpeechRate
from providers.mock.script import NO_DELAY, Delay, MockEngineConfig, Script
from providers.mock.sounds import PieceLength, Threshold, is_louder, pieces
from providers.mock.tones import speak
from voicebackend.interfaces import S2sEvent, S2sStream, SpeechToSpeech

_SILENCE_S = 0.1
"""Without sound, after which the caller has finished."""
_CHUNK_CHARACTERS = 8
_OF_THE_CALLER = frozenset({"speech_started", "user_text"})


class MockS2sConfig(MockEngineConfig):
    """The script of both sides."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    transcripts: Lines = DEFAULT_LINES
    """What the caller is understood to say, in turn; each session starts with the first."""
    replies: Lines = DEFAULT_LINES
    """What is answered, in turn."""
    delay: Delay = NO_DELAY
    """From the end of the caller's speech, noticed after 100 ms, to the answer."""
    sample_rate: Rate = DEFAULT_RATE
    seconds_per_character: SpeechRate = DEFAULT_SPEECH_RATE
    threshold: Threshold = 0
    """Audio with a sample above this is the caller's speech; by default, anything but digital silence is."""
    audio: tuple[bytes, ...] = ()
    """PCM at ``sample_rate``, base64 in JSON, played in turn for the replies; empty speaks them in tones."""
    piece: PieceLength | None = None
    """Seconds of ``audio`` in one event; all of it in one if not given."""


class MockS2s(SpeechToSpeech):
    """A scripted model."""

    name = "mock"
    Config = MockS2sConfig

    def __init__(self, config: MockS2sConfig | None = None) -> None:
        self.settings = config or MockS2sConfig()
        super().__init__(self.settings)
        self.sample_rate = self.settings.sample_rate
        self.script = Script("s2s", self.settings.fault)

    async def open(self) -> None:
        """Fail if the script says so."""
        self.script.opened()

    async def stream(self, *, metadata: Mapping[str, Any]) -> S2sStream:
        """Open a conversation, or fail as the script says."""
        del metadata
        self.script.called()
        return _Stream(self.settings)


class _Stream(S2sStream):
    def __init__(self, settings: MockS2sConfig) -> None:
        self._settings = settings
        self._transcripts: Iterator[str] = cycle(settings.transcripts)
        self._replies: Iterator[str] = cycle(settings.replies)
        self._audio = cycle(settings.audio)
        self._events: asyncio.Queue[S2sEvent | None] = asyncio.Queue()
        self._timer: asyncio.TimerHandle | None = None
        self._speaking = False

    async def push(self, pcm: bytes) -> None:
        """Hear the caller; what is not above the threshold, and no audio at all, is silence."""
        if not is_louder(pcm, self._settings.threshold):
            return
        if not self._speaking:
            self._speaking = True
            self._events.put_nowait(S2sEvent(kind="speech_started"))
        self._after(_SILENCE_S, self._understand)

    async def events(self) -> AsyncIterator[S2sEvent]:
        """Yield what comes back until the stream closes."""
        while (event := await self._events.get()) is not None:
            yield event
        self._events.put_nowait(None)

    async def interrupt(self, played_ms: float) -> None:
        """Drop what was not yet taken of the answer."""
        del played_ms
        if not self._speaking:
            self._cancel_timer()
        waiting = [self._events.get_nowait() for _ in range(self._events.qsize())]
        for event in waiting:
            if event is None or event.kind in _OF_THE_CALLER:
                self._events.put_nowait(event)
        self._events.put_nowait(S2sEvent(kind="turn_done"))

    async def aclose(self) -> None:
        """Hang up."""
        self._cancel_timer()
        self._events.put_nowait(None)

    def _after(self, seconds: float, function: Callable[[], None]) -> None:
        self._cancel_timer()
        self._timer = asyncio.get_running_loop().call_later(seconds, function)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _understand(self) -> None:
        self._speaking = False
        self._events.put_nowait(S2sEvent(kind="user_text", text=next(self._transcripts), final=True))
        self._after(self._settings.delay.total_seconds(), self._answer)

    def _answer(self) -> None:
        reply = next(self._replies)
        self._events.put_nowait(S2sEvent(kind="agent_text", text=reply, final=True))
        for pcm in self._spoken(reply):
            self._events.put_nowait(S2sEvent(kind="audio", pcm=pcm))
        self._events.put_nowait(S2sEvent(kind="turn_done"))

    def _spoken(self, reply: str) -> Iterator[bytes]:
        settings = self._settings
        if settings.audio:
            length = settings.piece.total_seconds() if settings.piece else None
            yield from pieces(next(self._audio), length, settings.sample_rate)
            return
        pace = settings.seconds_per_character.total_seconds()
        for start in range(0, len(reply), _CHUNK_CHARACTERS):
            yield speak(reply[start : start + _CHUNK_CHARACTERS], settings.sample_rate, pace)
