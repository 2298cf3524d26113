"""A speech-to-speech conversation in virtual time: a model that a test plays, and a gateway with the real clock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from keypad_double import AskedDouble, KeypadDouble, MaskedLog

from providers.mock.tones import speak, spoken
from voicebackend import virtual_time
from voicebackend.agents import HistoryEntry
from voicebackend.conversation import Conversation
from voicebackend.errors import ConnectionFailed
from voicebackend.events import Message
from voicebackend.hooks import AudioProcessor
from voicebackend.interfaces import Engines, Pipeline, S2sEvent, S2sStream, SpeechToSpeech, TransportLink
from voicebackend.playout import Playout
from voicebackend.streams import Frame
from worker.pipelines.s2s import S2sPipeline
from worker.processors import Processors

RATE = 16_000
PACE_S = 0.05
"""Of speech for a character."""
FRAME = b"\x10\x20" * 320


class Model(SpeechToSpeech, S2sStream):
    """Engine and stream in one: says and notices what the test tells it to."""

    name = "played"
    sample_rate = RATE

    def __init__(self) -> None:
        super().__init__()
        self._events: asyncio.Queue[S2sEvent | None] = asyncio.Queue()
        self.answers = True
        self.heard: list[bytes] = []
        self.said: list[str] = []
        self.told: list[str] = []
        self.pressed: list[str] = []
        self.histories: list[Sequence[HistoryEntry]] = []
        self.interrupted: list[float] = []
        self._speaking = self.closed = False
        self.mute = False
        """Does not speak what it is given."""

    async def stream(
        self, *, metadata: Mapping[str, Any], answers: bool = True, history: Sequence[HistoryEntry] = ()
    ) -> S2sStream:
        """Open the only stream."""
        self.answers = answers
        self.histories.append(history)
        return self

    async def push(self, pcm: bytes) -> None:
        """Hear the caller."""
        self.heard.append(pcm)

    async def events(self) -> AsyncIterator[S2sEvent]:
        """Yield what the test tells, until it hangs up."""
        while (event := await self._events.get()) is not None:
            yield event

    async def interrupt(self, played_ms: float) -> None:
        """Note it, and end what is being said; what was on its way comes nevertheless."""
        self.interrupted.append(played_ms)
        if self._speaking:
            self.notice("turn_done")

    async def say(self, text: str) -> None:
        """Speak in tones."""
        self.said.append(text)
        if self._speaking:
            self.notice("turn_done")
        if not self.mute:
            self.speaks(text)

    async def tell(self, text: str) -> None:
        """Note it."""
        self.told.append(text)

    async def dtmf(self, digit: str) -> None:
        """Note it; there is no key E."""
        if digit == "E":
            raise ConnectionFailed("dtmf")
        self.pressed.append(digit)

    async def aclose(self) -> None:
        """Hang up."""
        self.closed = True
        self.hangs_up()

    def notice(self, kind: str, **fields: Any) -> None:
        """Send an event."""
        self._speaking = kind in {"audio", "agent_text"} or (self._speaking and kind != "turn_done")
        self._events.put_nowait(S2sEvent(kind=kind, **fields))

    def speaks(self, text: str, *, done: bool = True, chunk: int = 8) -> None:
        """Give text and audio in turn, faster than anybody speaks."""
        for start in range(0, len(text), chunk):
            self.notice("agent_text", text=text[start : start + chunk])
            self.notice("audio", pcm=speak(text[start : start + chunk], RATE, PACE_S))
        if done:
            self.notice("turn_done")

    def hears(self, text: str, *, partials: bool = True) -> None:
        """Notice a whole utterance."""
        self.notice("speech_started")
        if partials:
            self.notice("user_text", text=text)
        self.notice("speech_stopped")
        self.notice("user_text", text=text, final=True)

    def hangs_up(self) -> None:
        """End the events."""
        self._events.put_nowait(None)


class Gateway(TransportLink):
    """Sends to nobody, but paces, pauses, clears and reports as control's gateway does."""

    def __init__(self) -> None:
        self.sample_rate = RATE
        self.pipeline: Pipeline | None = None
        self.events: list[dict[str, Any]] = []
        self._clock = asyncio.get_running_loop().time
        self._playout = Playout(RATE)
        self._wake = asyncio.Event()
        self._pcm: dict[int, bytearray] = {}

    def play(self, turn: int, pcm: bytes) -> None:
        """Take agent audio."""
        self._playout.push_audio(turn, pcm)
        self._pcm.setdefault(turn, bytearray()).extend(pcm)
        self._wake.set()

    def event(self, message: Message) -> None:
        """Take an event."""
        told = message.model_dump(mode="json", exclude_none=True)
        self.events.append({**told, "at": round(self._clock(), 3)})
        turn, now = told.get("turn", 0), self._clock()
        if told["type"] in {"clear", "pause"}:
            getattr(self._playout, told["type"])(turn, "", now)
            asyncio.get_running_loop().call_later(0.01, self._told, turn, self._playout.played_ms(turn, now))
        elif told["type"] == "resume":
            self._playout.resume(turn, "", now)
        self._wake.set()

    def _told(self, turn: int, ms: float) -> None:
        if self.pipeline is not None:
            self.pipeline.played(turn, ms, final=True)

    async def run(self) -> None:
        """Let what is due be played."""
        while True:
            self._wake.clear()
            while self._playout.due(self._clock()) is not None:
                pass
            try:
                async with asyncio.timeout(self._playout.wait_s(self._clock())):
                    await self._wake.wait()
            except TimeoutError:
                pass

    def played(self, turn: int) -> str:
        """Return the text that was played of a turn."""
        size = round(self._playout.played_ms(turn, self._clock()) * RATE / 1000) * 2
        return spoken(bytes(self._pcm.get(turn, b""))[:size], RATE)

    def sent(self, turn: int) -> str:
        """Return the text that was sent of a turn."""
        return spoken(bytes(self._pcm.get(turn, b"")), RATE)

    def kinds(self, *wanted: str) -> list[str]:
        """Return the types of the events that are wanted, in order."""
        return [event["type"] for event in self.events if event["type"] in wanted]


@dataclass
class MemoryLog(MaskedLog):
    """What the agent would remember."""

    entries: list[dict[str, Any]] = field(default_factory=list)

    async def append(self, entry: Mapping[str, Any]) -> None:
        """Append an entry."""
        self.entries.append(dict(entry))

    async def event(self, message: Message, **extra: Any) -> None:
        """Append what the caller is told too."""
        await self.append({**message.model_dump(mode="json", exclude_none=True), **extra})

    def history(self) -> list[tuple[int, str, str]]:
        """Return turn, role and text of what was said; a role that was interrupted ends with ``!``."""
        said = [entry for entry in self.entries if entry["type"] == "transcript"]
        return [(entry["turn"], entry["role"] + "!" * entry.get("interrupted", False), entry["text"]) for entry in said]


@dataclass
class Asked(AskedDouble):
    """One question to the agent: answers with texts, or fails."""

    turn: int
    transcript: str
    answer: Iterable[str | Exception]
    cancelled: bool = False

    def deliver(self, frame: Frame) -> None:
        """Nothing comes from a lane."""

    async def commit(self, transcript: str) -> None:
        """Every question is committed."""

    async def cancel(self) -> None:
        """Note it."""
        self.cancelled = True

    async def deltas(self) -> AsyncIterator[str]:
        """Yield the texts; raise the errors."""
        for delta in self.answer:
            if isinstance(delta, Exception):
                raise delta
            yield delta


class AgentDouble(KeypadDouble):
    """Answers the first question with the first answer, and so on."""

    def __init__(self, *answers: Iterable[str | Exception]) -> None:
        self._answers = iter(answers)
        self.asked: list[Asked] = []

    def ask(self, turn: int, transcript: str, *, voice: bytes = b"", speculative: bool = False) -> Asked:
        """Return the question."""
        assert not speculative, "a model's caller is not guessed at"
        self.asked.append(Asked(turn, transcript, next(self._answers)))
        return self.asked[-1]


@dataclass
class Call:
    """A conversation under way."""

    model: Model
    gateway: Gateway
    log: MemoryLog
    pipeline: S2sPipeline

    async def until(self, seconds: float) -> None:
        """Let time pass until this moment of the call."""
        await asyncio.sleep(seconds - asyncio.get_running_loop().time())


@asynccontextmanager
async def call(
    *,
    model: Model | None = None,
    agent: AgentDouble | None = None,
    processors: Iterable[AudioProcessor] = (),
    log: MemoryLog | None = None,
    **conversation: Any,
) -> AsyncIterator[Call]:
    """Hold a conversation; afterwards nothing may be left of it."""
    model, gateway, log = model or Model(), Gateway(), log or MemoryLog()
    pipeline = S2sPipeline(
        engines=Engines(s2s=model),
        link=gateway,
        log=log,
        processors=Processors(processors, "s"),
        agent=cast("Any", agent),  # nothing is resumed here
        conversation=Conversation(**conversation),
        metadata={},
    )
    gateway.pipeline = pipeline
    await pipeline.open()
    pipeline.greet()
    playing = asyncio.create_task(gateway.run(), name="gateway")
    try:
        yield Call(model, gateway, log, pipeline)
    finally:
        await pipeline.aclose()
        playing.cancel()
        await asyncio.gather(playing, return_exceptions=True)
    left = [task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    assert left == [], f"tasks are left: {left}"


def in_virtual_time(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run an async test from start to end in virtual time."""

    def run() -> None:
        virtual_time.run(test())

    run.__name__, run.__doc__, run.__module__ = test.__name__, test.__doc__, test.__module__
    return run
