"""Engine ``mock``: a speech-to-speech model by script. The caller says something, falls silent, and is answered."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from itertools import cycle
from typing import Any

from pydantic import ConfigDict

from providers.engines.s2s.script import Reply, Voice
from providers.mock.config import DEFAULT_LINES, DEFAULT_RATE, DEFAULT_SPEECH_RATE, Lines, Rate, SpeechRate
from providers.mock.script import NO_DELAY, Delay, MockEngineConfig, Script
from providers.mock.sounds import PieceLength, Threshold, is_louder
from voicebackend.agents import HistoryEntry
from voicebackend.audio import PIPELINE_RATE, SAMPLE_BYTES
from voicebackend.interfaces import S2sEvent, S2sStream, SpeechToSpeech

_SILENCE_S = 0.1
"""Without sound, after which the caller has finished."""
_WORD_BYTES = PIPELINE_RATE * SAMPLE_BYTES // 5
"""Caller audio after which one more word is understood: 200 ms."""
_HEARD = "{heard}"
"""Stands in a reply for what was heard of the one before."""


class MockS2sConfig(MockEngineConfig):
    """The script of both sides."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    transcripts: Lines = DEFAULT_LINES
    """What the caller is understood to say, in turn, each session from the first; empty is a sound without words."""
    partials: bool = True
    """Tell a word more every 200 ms."""
    replies: Lines = DEFAULT_LINES
    """What is answered, in turn; empty is no answer, ``{heard}`` in one what was heard of the one before."""
    delay: Delay = NO_DELAY
    """From the end of the caller's speech, noticed after 100 ms, to the answer; or from a given text to its speech."""
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

    async def stream(
        self, *, metadata: Mapping[str, Any], answers: bool = True, history: Sequence[HistoryEntry] = ()
    ) -> S2sStream:
        """Open a conversation, or fail as the script says."""
        del metadata, history
        self.script.called()
        return _Stream(self.settings, answers=answers)


class _Stream(S2sStream):
    def __init__(self, settings: MockS2sConfig, *, answers: bool) -> None:
        self._settings, self._answers = settings, answers
        self._transcripts: Iterator[str] = cycle(settings.transcripts)
        self._replies: Iterator[str] = cycle(settings.replies)
        self._voice = Voice(
            sample_rate=settings.sample_rate,
            pace_s=settings.seconds_per_character.total_seconds(),
            audio=settings.audio,
            piece_s=settings.piece.total_seconds() if settings.piece else None,
        )
        self._events: deque[tuple[S2sEvent, Reply | None]] = deque()
        self._changed = asyncio.Event()
        self._closed = False
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._texts: deque[str] = deque()
        self._said: str | None = None
        self._heard_bytes = 0
        self._last: Reply | None = None
        """The answer begun last."""
        self._spoken_over: Reply | None = None
        """The answer begun last when the caller began to speak."""

    async def push(self, pcm: bytes) -> None:
        """Hear the caller; what is not above the threshold, and no audio at all, is silence."""
        if not is_louder(pcm, self._settings.threshold):
            return
        if self._said is None:
            self._said, self._heard_bytes, self._spoken_over = next(self._transcripts), 0, self._last
            self._stop("answer")
            self._tell(S2sEvent(kind="speech_started"))
        words, self._heard_bytes = self._heard_bytes // _WORD_BYTES, self._heard_bytes + len(pcm)
        if self._settings.partials and self._heard_bytes // _WORD_BYTES > words:
            text = " ".join(self._said.split()[: self._heard_bytes // _WORD_BYTES])
            self._tell(S2sEvent(kind="user_text", text=text))
        self._after(_SILENCE_S, "silence", self._understand)

    async def events(self) -> AsyncIterator[S2sEvent]:
        """Yield what comes back until the stream closes."""
        while True:
            while not self._events and not self._closed:
                self._changed.clear()
                await self._changed.wait()
            if self._closed:
                return
            event, reply = self._events.popleft()
            if reply is not None and event.kind == "turn_done":
                reply.done = True
                self._say_next()
            yield event

    async def interrupt(self, played_ms: float) -> None:
        """Drop what was not yet taken of what the caller spoke over, and remember what was played of it."""
        self._stop("say")
        self._texts.clear()
        reply, self._spoken_over = self._spoken_over or self._last, None
        if reply is None:
            return
        reply.cut(played_ms)
        self._events = deque(item for item in self._events if item[1] is not reply)
        if not reply.done:
            self._events.appendleft((S2sEvent(kind="turn_done"), reply))
            self._changed.set()

    async def say(self, text: str) -> None:
        """Speak a text."""
        self._texts.append(text)
        self._say_next()

    async def aclose(self) -> None:
        """Hang up."""
        for name in list(self._timers):
            self._stop(name)
        self._closed = True
        self._changed.set()

    def _understand(self) -> None:
        text, self._said = self._said or "", None
        self._tell(S2sEvent(kind="speech_stopped", silence_s=_SILENCE_S))
        self._tell(S2sEvent(kind="user_text", text=text, final=True, silence_s=_SILENCE_S))
        if text and self._answers:
            self._after(self._settings.delay.total_seconds(), "answer", self._answer)

    def _answer(self) -> None:
        reply = next(self._replies)
        if reply:
            self._speak(reply.replace(_HEARD, self._last.heard if self._last else ""))

    def _say_next(self) -> None:
        """Speak a text that waits, if nothing is under way."""
        if self._texts and "say" not in self._timers and (self._last is None or self._last.done):
            self._after(self._settings.delay.total_seconds(), "say", lambda: self._speak(self._texts.popleft()))

    def _speak(self, text: str) -> None:
        self._last = reply = self._voice.reply(text)
        for event in reply.events:
            self._tell(event, reply)

    def _tell(self, event: S2sEvent, reply: Reply | None = None) -> None:
        self._events.append((event, reply))
        self._changed.set()

    def _after(self, seconds: float, name: str, function: Callable[[], None]) -> None:
        self._stop(name)

        def due() -> None:
            del self._timers[name]
            function()

        self._timers[name] = asyncio.get_running_loop().call_later(seconds, due)

    def _stop(self, name: str) -> None:
        timer = self._timers.pop(name, None)
        if timer is not None:
            timer.cancel()
