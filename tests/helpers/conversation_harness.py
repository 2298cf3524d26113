"""One conversation in virtual time: the real pipeline between scripted engines, and a phone that really plays."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, cast

from keypad_double import AskedDouble, KeypadDouble, MaskedLog
from scripted_engines import Script, sound
from scripted_phone import Line

from voicebackend import virtual_time
from voicebackend.audio import FRAME_MS, PIPELINE_RATE, SAMPLE_BYTES
from voicebackend.conversation import Conversation
from voicebackend.digits import CollectDigits
from voicebackend.events import Message
from voicebackend.streams import Frame
from worker.pipelines.stt_tts import SttTtsPipeline
from worker.processors import Processors

FRAME_S = FRAME_MS / 1000
FRAME_BYTES = round(FRAME_S * PIPELINE_RATE) * SAMPLE_BYTES
HANGOVER_S = 4.0
"""Seconds of silence that the phone sends after a sound, before it saves its breath."""

Piece = str | float | Exception | CollectDigits
"""Of an agent's answer: text, seconds of thought, a failure, or a request for keys."""


@dataclass
class Log(MaskedLog):
    """What is remembered; slow, or away, as told."""

    delay_s: float = 0.0
    error: Exception | None = None
    entries: list[dict[str, Any]] = field(default_factory=list)

    async def append(self, entry: Mapping[str, Any]) -> None:
        """Append an entry."""
        await asyncio.sleep(self.delay_s)
        if self.error is not None:
            raise self.error
        self.entries.append(dict(entry))

    async def event(self, message: Message, **extra: Any) -> None:
        """Append what the caller is told too."""
        await self.append({**message.model_dump(mode="json", exclude_none=True), **extra})

    def said(self, role: str) -> list[tuple[int, str, bool]]:
        """Return turn, text, and whether it was cut off, of what one side said."""
        return [
            (entry["turn"], entry["text"], bool(entry.get("interrupted")))
            for entry in self.entries
            if entry["type"] == "transcript" and entry["role"] == role
        ]


class Asked(AskedDouble):
    """One question to the scripted agent."""

    def __init__(self, turn: int, transcript: str, answer: Sequence[Piece], *, speculative: bool) -> None:
        self.turn, self.transcript, self.speculative = turn, transcript, speculative
        self.asked = transcript
        self.committed, self.cancelled, self.written = not speculative, False, ""
        self._answer = answer

    def __repr__(self) -> str:
        return f"<Asked {self.turn} {self.transcript!r} [{self.committed=} {self.cancelled=}]>"

    async def deltas(self) -> AsyncIterator[str]:
        """Do as the script says."""
        for piece in self._answer:
            if isinstance(piece, float | int):
                await asyncio.sleep(piece)
            elif isinstance(piece, Exception):
                raise piece
            elif isinstance(piece, CollectDigits):
                self.collect = piece
            else:
                self.written += piece
                yield piece

    def deliver(self, frame: Frame) -> None:
        """Nothing comes by the lane."""

    async def commit(self, transcript: str) -> None:
        """Note it, after as long as Redis takes."""
        await asyncio.sleep(0.002)
        self.committed, self.transcript = True, transcript

    async def cancel(self) -> None:
        """Note it, after as long as Redis takes."""
        await asyncio.sleep(0.002)
        self.cancelled = True


@dataclass
class Agent(KeypadDouble):
    """Answers turns one after the other, by script; the last answer again and again."""

    answers: Sequence[Sequence[Piece]] = (("This is my answer.",),)
    asked: list[Asked] = field(default_factory=list)

    def ask(self, turn: int, transcript: str, *, voice: bytes = b"", speculative: bool = False) -> Asked:
        """Return the question."""
        turns = sorted({asked.turn for asked in self.asked} | {turn})
        answer = self.answers[min(turns.index(turn), len(self.answers) - 1)]
        self.asked.append(Asked(turn, transcript, answer, speculative=speculative))
        return self.asked[-1]

    @property
    def committed(self) -> list[Asked]:
        """The questions whose answer was wanted in the end."""
        return [asked for asked in self.asked if asked.committed]


class Call:
    """A caller's call."""

    def __init__(
        self, script: Script, agent: Agent, log: Log, settings: Conversation, line: Line, *, greet: bool = True
    ) -> None:
        self.script, self.agent, self.log, self.line = script, agent, log, line
        self.phone, self._loop = line.phone, asyncio.get_running_loop()
        self.pipeline = SttTtsPipeline(
            engines=script.engines(),
            link=line,
            log=log,
            processors=Processors([], "call"),
            agent=cast("Any", agent),  # nothing is resumed here
            conversation=settings,
        )
        line.on_played = self.pipeline.played
        self._greet = greet
        self._sounds: deque[bytes] = deque()
        self._said, self._wake = asyncio.Event(), asyncio.Event()

    async def microphone(self) -> None:
        """Send 20 ms after 20 ms, and silence for a while after each sound."""
        while True:
            silent = 0
            due = self._loop.time()
            while silent * FRAME_S < HANGOVER_S:
                due += FRAME_S
                await asyncio.sleep(due - self._loop.time())
                silent = 0 if self._sounds else silent + 1
                frame = self._sounds.popleft() if self._sounds else bytes(FRAME_BYTES)
                if self.line.attached:
                    self.pipeline.push(frame)
                if not self._sounds:
                    self._said.set()
            self._wake.clear()
            await self._wake.wait()

    def begin(self, text: str) -> None:
        """Begin to say something."""
        pcm = sound(text)
        self._sounds.extend(pcm[at : at + FRAME_BYTES] for at in range(0, len(pcm), FRAME_BYTES))
        self._said.clear()
        self._wake.set()

    async def say(self, text: str) -> float:
        """Say something; return when its last sound was sent."""
        self.begin(text)
        await self._said.wait()
        return self._loop.time()

    def leave(self) -> None:
        """Lose the socket."""
        if self.line.attached:
            self.pipeline.left()
            self.line.lose()

    def come_back(self) -> None:
        """Connect again."""
        if not self.line.attached:
            self.line.attached = True
            self.pipeline.greet()

    async def until(self, check: Callable[[], object], timeout_s: float = 30.0) -> float:
        """Wait until something holds; return when."""
        async with asyncio.timeout(timeout_s):
            while not check():  # noqa: ASYNC110 - whatever it is, it has no event
                await asyncio.sleep(0.005)
        return self._loop.time()

    async def until_free(self, timeout_s: float = 60.0) -> float:
        """Wait until the agent has finished, for good."""
        still = 0
        async with asyncio.timeout(timeout_s):
            while still < 100:
                await asyncio.sleep(FRAME_S)
                still = still + 1 if self.states[-1:] == ["listening"] and not self._sounds else 0
        return self._loop.time()

    def of(self, kind: str) -> list[Any]:
        """Return the events of one type."""
        return [message for _, message in self.line.events if getattr(message, "type", "") == kind]

    def at(self, kind: str) -> list[float]:
        """Return when events of one type were sent."""
        return [at for at, message in self.line.events if getattr(message, "type", "") == kind]

    @property
    def states(self) -> list[str]:
        """The states that the caller was told."""
        return [str(message.state) for message in self.of("state")]

    @asynccontextmanager
    async def held(self) -> AsyncIterator[Call]:
        """Open, hold and close it; no task may be left."""
        before = asyncio.all_tasks()
        await self.pipeline.open()
        microphone = asyncio.create_task(self.microphone(), name="microphone")
        if self._greet:
            self.pipeline.greet()
        try:
            yield self
        finally:
            microphone.cancel()
            await self.pipeline.aclose()
            await asyncio.gather(microphone, return_exceptions=True)
            self.line.close()
            left = sorted(task.get_name() for task in asyncio.all_tasks() - before)
            assert left == [], f"tasks are left: {left}"


@asynccontextmanager
async def calling(
    *answers: Sequence[Piece],
    script: Script | None = None,
    log: Log | None = None,
    settings: Mapping[str, Any] | None = None,
    greet: bool = True,
    **line: Any,
) -> AsyncIterator[Call]:
    """Hold a call with an agent that gives these answers."""
    agent = Agent(answers or (("This is my answer.",),))
    conversation = Conversation.model_validate(settings or {})
    call = Call(script or Script(), agent, log or Log(), conversation, Line(**line), greet=greet)
    async with call.held():
        yield call


def in_virtual_time(test: Callable[..., Coroutine[None, None, None]]) -> Callable[..., None]:
    """Run a test in a loop whose clock jumps."""

    @wraps(test)
    def run(*args: object, **named: object) -> None:
        virtual_time.run(test(*args, **named))

    return run
