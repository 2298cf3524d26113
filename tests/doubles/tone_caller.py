"""A caller who speaks in tones, in real time and never silent on the line, and notes down what is heard and told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Protocol

from listening import voice

from providers.mock.tones import spoken
from voicebackend.audio import FRAME_MS, AudioFormat
from voicebackend.events import ServerMessage, Transcript

WAIT_S = 20.0
"""Seconds that anything may take."""


class Phone(Protocol):
    """What a caller speaks and hears by: a ``VoiceSession``, or a room's participant."""

    @property
    def sample_rate(self) -> int:
        """Hz, both ways."""
        ...

    async def __aenter__(self) -> Any:
        """Begin the call."""

    async def __aexit__(self, *_: object) -> None:
        """End it."""

    async def process_audio(self, pcm: bytes) -> None:
        """Say it."""

    def agent_audio(self) -> AsyncIterator[bytes]:
        """Yield what is heard."""
        ...

    def events(self) -> AsyncIterator[ServerMessage]:
        """Yield what is told."""
        ...


class ToneCaller:
    """Speaks in one session."""

    def __init__(self, session: Phone) -> None:
        self._session, self._format = session, AudioFormat(sample_rate=session.sample_rate)
        self._speech = bytearray()
        self._changed = asyncio.Condition()
        self.events: list[ServerMessage] = []
        self.heard = bytearray()
        """Agent audio since ``listen_anew``."""
        self._sounded = asyncio.Event()
        self._ends = self._longest = 0.0

    def say(self, text: str) -> None:
        """Begin to speak; what follows waits in the line."""
        self._speech += voice(text, self._session.sample_rate)

    def listen_anew(self) -> None:
        """Forget what was heard."""
        self.heard.clear()
        self._ends = self._longest = 0.0

    @property
    def longest_silence_s(self) -> float:
        """Seconds that nothing came between two pieces of what was heard."""
        return self._longest

    @property
    def words(self) -> str:
        """What was heard, read back from its tones."""
        return spoken(bytes(self.heard), self._session.sample_rate)

    @property
    def heard_s(self) -> float:
        """Seconds of agent audio heard."""
        return self._format.duration_s(bytes(self.heard))

    def transcripts(self, role: str) -> list[str]:
        """Return what was said by one side, as it was told in the end."""
        found = [event for event in self.events if isinstance(event, Transcript)]
        return [event.text for event in found if event.role == role and event.final]

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return once something holds; it is looked at whenever anything comes."""
        async with asyncio.timeout(WAIT_S), self._changed:
            await self._changed.wait_for(holds)

    async def quiet(self, seconds: float) -> None:
        """Return once nothing was heard for so long."""
        async with asyncio.timeout(WAIT_S):
            while True:
                self._sounded.clear()
                try:
                    await asyncio.wait_for(self._sounded.wait(), seconds)
                except TimeoutError:
                    return

    async def run(self) -> None:
        """Be on the line until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._speak(), name="caller speaks")
            group.create_task(self._hear(), name="caller hears")
            group.create_task(self._follow(), name="caller follows")

    async def _speak(self) -> None:
        now, size = asyncio.get_running_loop().time, self._format.frame_bytes
        due = now()
        while True:
            frame, self._speech = bytes(self._speech[:size]), self._speech[size:]
            await self._session.process_audio(frame.ljust(size, b"\0"))
            due += FRAME_MS / 1000
            await asyncio.sleep(max(0.0, due - now()))

    async def _hear(self) -> None:
        now = asyncio.get_running_loop().time
        async for pcm in self._session.agent_audio():
            if self._ends:
                self._longest = max(self._longest, now() - self._ends)
            self._ends = max(now(), self._ends) + self._format.duration_s(pcm)
            self.heard += pcm
            self._sounded.set()
            await self._note()

    async def _follow(self) -> None:
        async for event in self._session.events():
            self.events.append(event)
            await self._note()

    async def _note(self) -> None:
        async with self._changed:
            self._changed.notify_all()


@asynccontextmanager
async def on_the_line(session: Phone) -> AsyncIterator[ToneCaller]:
    """Hold a call: the session is started and stopped."""
    async with session:
        caller = ToneCaller(session)
        running = asyncio.create_task(caller.run(), name="caller")
        try:
            yield caller
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
