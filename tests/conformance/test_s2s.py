"""What every speech-to-speech engine must do: each inherits the suite."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from providers.registry import S2S
from voicebackend.audio import PIPELINE_RATE
from voicebackend.interfaces import S2sEvent, S2sStream, SpeechToSpeech

HELLO = b"\x10\x20" * PIPELINE_RATE
KINDS = {"audio", "user_text", "agent_text", "speech_started", "speech_stopped", "turn_done", "error"}


async def until_done(events: AsyncIterator[S2sEvent]) -> list[S2sEvent]:
    """Return the events of a turn."""
    found: list[S2sEvent] = []
    async with asyncio.timeout(20):
        async for event in events:
            found.append(event)
            if event.kind == "turn_done":
                break
    return found


@asynccontextmanager
async def conversation(engine: SpeechToSpeech) -> AsyncIterator[S2sStream]:
    """Open a stream for one test."""
    stream = await engine.stream(metadata={})
    try:
        yield stream
    finally:
        await stream.aclose()


class S2sSuite:
    """Subclasses give ``engine``, opened."""

    async def test_who_speaks_is_answered(self, engine: SpeechToSpeech) -> None:
        """Speech is noticed and understood; text and audio come back, then the end of the turn."""
        async with conversation(engine) as stream:
            await stream.push(HELLO)
            found = await until_done(stream.events())
        kinds = [event.kind for event in found]
        assert set(kinds) <= KINDS
        assert kinds[0] == "speech_started"
        assert kinds[-1] == "turn_done"
        assert {"user_text", "agent_text", "audio"} <= set(kinds)
        assert all(len(event.pcm) % 2 == 0 for event in found)

    async def test_closing_ends_the_events(self, engine: SpeechToSpeech) -> None:
        """A reader is not left waiting."""
        async with conversation(engine) as stream:
            reader = asyncio.create_task(_all(stream.events()), name="reader")
            await asyncio.sleep(0)
            await stream.aclose()
            async with asyncio.timeout(5):
                assert await reader == []

    async def test_an_interrupted_answer_goes_on_no_more(self, engine: SpeechToSpeech) -> None:
        """Its audio stops, and the next turn is answered."""
        async with conversation(engine) as stream:
            await stream.push(HELLO)
            events = stream.events()
            async for event in events:
                if event.kind == "audio":
                    break
            await stream.interrupt(played_ms=20)
            assert "audio" not in {event.kind for event in await until_done(events)}
            await stream.push(HELLO)
            assert "audio" in {event.kind for event in await until_done(events)}


async def _all(events: AsyncIterator[S2sEvent]) -> list[S2sEvent]:
    return [event async for event in events]


class TestMock(S2sSuite):
    """By script."""

    @pytest.fixture
    def engine(self) -> SpeechToSpeech:
        """Give the mock model."""
        return S2S.create("mock")
