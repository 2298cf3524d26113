"""Engines that die, hang or refuse when a test orders it: the mocks, with trouble in between."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Literal

from providers.registry import S2S, STT, TTS
from voicebackend.agents import HistoryEntry
from voicebackend.errors import ConnectionFailed, RateLimitExceeded
from voicebackend.interfaces import (
    Recognition,
    S2sEvent,
    S2sStream,
    SpeechToSpeech,
    SpeechToText,
    SttStream,
    TextToSpeech,
    WordTime,
)

Kind = Literal["dead", "hang", "limit"]


def moments(seed: int) -> random.Random:
    """Return the source of a test's random moments: the same at each run."""
    return random.Random(seed)  # noqa: S311 - no secret


class Trouble:
    """One engine's. While there is some, nothing opens and nothing works; ``kill`` breaks what is open."""

    def __init__(self) -> None:
        self.kind: Kind | None = None
        self.calls = 0
        """What was asked of the engine."""
        self.open = 0
        """Streams that are open now."""
        self._broken = asyncio.Event()

    def order(self, kind: Kind | None) -> None:
        """Have everything go wrong from now on, or nothing."""
        self.kind = kind
        if kind is not None:
            self.kill()

    def kill(self) -> None:
        """Break every connection that is open now; new ones can be made."""
        self._broken.set()
        self._broken = asyncio.Event()

    async def meet(self) -> None:
        """Do as ordered."""
        self.calls += 1
        if self.kind == "dead":
            raise ConnectionFailed("flaky")
        if self.kind == "limit":
            raise RateLimitExceeded("flaky", retry_after=60.0)
        if self.kind == "hang":
            await asyncio.sleep(3600)

    def line(self) -> Line:
        """Return a new connection."""
        self.open += 1
        return Line(self, self._broken)


class Line:
    """One connection: once broken it stays so."""

    def __init__(self, trouble: Trouble, broken: asyncio.Event) -> None:
        self._trouble, self.broken = trouble, broken
        self._closed = False

    async def meet(self) -> None:
        """Fail if it is broken, or else as ordered."""
        if self.broken.is_set() and self._trouble.kind != "hang":
            raise ConnectionFailed("flaky", "the connection is broken")
        await self._trouble.meet()

    def close(self) -> None:
        """Release it."""
        if not self._closed:
            self._trouble.open -= 1
        self._closed = True


class FlakyStt(SpeechToText):
    """Reads tones back, until there is trouble."""

    remote = True

    def __init__(self, name: str = "flaky", **settings: Any) -> None:
        super().__init__()
        self.name = name  # type: ignore[misc]  # one class, several engines
        self.trouble = Trouble()
        self.streams = 0
        """That were opened at it."""
        self.full = False
        """Whether it opens no further stream; those that are open work."""
        self._mock = STT.create("mock", {"decode": True, **settings})

    async def stream(self, on_partial: Callable[[Recognition], None]) -> SttStream:
        await self.trouble.meet()
        if self.full:
            raise RateLimitExceeded("flaky", "too many streams")
        self.streams += 1
        return _FlakyEar(await self._mock.stream(on_partial), self.trouble.line())


class _FlakyEar(SttStream):
    def __init__(self, ear: SttStream, line: Line) -> None:
        self._ear, self._line = ear, line

    async def push(self, pcm: bytes) -> None:
        await self._line.meet()
        await self._ear.push(pcm)

    async def pause(self) -> None:
        await self._line.meet()
        await self._ear.pause()

    async def finish(self) -> Recognition:
        await self._line.meet()
        return await self._ear.finish()

    async def discard(self) -> None:
        await self._line.meet()
        await self._ear.discard()

    async def aclose(self) -> None:
        self._line.close()
        await self._ear.aclose()


class FlakyTts(TextToSpeech):
    """Speaks in tones, until there is trouble."""

    remote = True

    def __init__(self, name: str = "flaky", **settings: Any) -> None:
        super().__init__()
        self.name = name  # type: ignore[misc]  # one class, several engines
        self.trouble = Trouble()
        self._mock = TTS.create("mock", settings)
        self.sample_rate = self._mock.sample_rate
        self.die_after: int | None = None
        """Pieces of a text after which the connection breaks, once."""
        self.die_again: int | None = None
        """And those after which it does the next time."""
        self.texts: list[str] = []
        """What it was given to say."""

    async def synthesize(self, text: str) -> AsyncIterator[bytes | WordTime]:
        self.texts.append(text)
        await self.trouble.meet()
        line, pieces = self.trouble.line(), 0
        try:
            async with aclosing(self._mock.synthesize(text)) as audio:  # type: ignore[type-var]
                async for piece in audio:
                    if pieces == self.die_after:
                        self.die_after = self.die_again
                        raise ConnectionFailed("flaky", "the connection is broken")
                    await line.meet()
                    pieces += isinstance(piece, bytes)
                    yield piece
        finally:
            line.close()


class FlakyS2s(SpeechToSpeech):
    """Converses by script, until there is trouble."""

    remote = True

    def __init__(self, name: str = "flaky", **settings: Any) -> None:
        super().__init__()
        self.name = name  # type: ignore[misc]  # one class, several engines
        self.trouble = Trouble()
        self._mock = S2S.create("mock", settings)
        self.sample_rate = self._mock.sample_rate
        self.histories: list[list[HistoryEntry]] = []
        """What each stream was told of what had been said."""

    async def stream(
        self, *, metadata: Mapping[str, Any], answers: bool = True, history: Sequence[HistoryEntry] = ()
    ) -> S2sStream:
        await self.trouble.meet()
        self.histories.append(list(history))
        return _FlakyConversation(await self._mock.stream(metadata=metadata, answers=answers), self.trouble.line())


class _FlakyConversation(S2sStream):
    def __init__(self, live: S2sStream, line: Line) -> None:
        self._live, self._line = live, line

    async def push(self, pcm: bytes) -> None:
        if not self._line.broken.is_set():
            await self._live.push(pcm)

    async def say(self, text: str) -> None:
        if not self._line.broken.is_set():
            await self._live.say(text)

    async def interrupt(self, played_ms: float) -> None:
        if not self._line.broken.is_set():
            await self._live.interrupt(played_ms)

    async def events(self) -> AsyncIterator[S2sEvent]:
        breaking = asyncio.create_task(self._line.broken.wait(), name="broken")
        events: Any = self._live.events()
        getting = asyncio.create_task(anext(events, None), name="event")
        try:
            while True:
                await asyncio.wait({breaking, getting}, return_when=asyncio.FIRST_COMPLETED)
                if breaking.done():
                    await self._line.meet()
                event = getting.result()
                if event is None:
                    return
                getting = asyncio.create_task(anext(events, None), name="event")
                yield event
        finally:
            breaking.cancel()
            getting.cancel()
            await asyncio.gather(breaking, getting, return_exceptions=True)

    async def aclose(self) -> None:
        self._line.close()
        await self._live.aclose()
