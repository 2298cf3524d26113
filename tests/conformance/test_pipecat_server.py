"""Engine ``pipecat`` against a real Pipecat server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pipecat_peer
import pytest
from listening import voice

from providers.conformance.s2s import S2sSuite, conversation, until
from providers.mock.tones import spoken
from providers.pipecat.config import PipecatConfig
from providers.pipecat.s2s import PipecatS2s
from voicebackend.audio import PIPELINE_RATE, FrameCutter
from voicebackend.errors import AuthenticationFailed
from voicebackend.interfaces import S2sStream, SpeechToSpeech

pytestmark = pytest.mark.peers


async def speak(stream: S2sStream, text: str = "hello") -> None:
    """Say something in tones, and fall silent for half a second."""
    for frame in FrameCutter(PIPELINE_RATE).push(voice(text, PIPELINE_RATE) + bytes(PIPELINE_RATE)):
        await stream.push(frame)
        await asyncio.sleep(0.005)  # four times as fast as people: what is pushed at once overtakes the news of it


class TestServer(S2sSuite):
    """A pipeline behind a route of its own."""

    @pytest.fixture
    async def engine(self) -> AsyncIterator[SpeechToSpeech]:
        """Give the engine, with a server behind it."""
        async with pipecat_peer.route() as url, opened(pipecat_server_url=url) as engine:
            yield engine

    async def speak(self, stream: S2sStream) -> None:
        """Say something in tones."""
        await speak(stream)


async def test_a_greeting_has_its_text() -> None:
    """Though no language model wrote it."""
    async with pipecat_peer.route() as url, opened(pipecat_server_url=f"{url}?greeting=welcome") as engine:
        stream = await engine.stream(metadata={})
        found = await until("turn_done", stream.events())
        await stream.aclose()
    assert [event.text for event in found if event.kind == "agent_text"] == ["welcome"]
    assert spoken(b"".join(event.pcm for event in found), engine.sample_rate) == "welcome"


async def test_a_text_is_answered_and_cuts_what_is_said() -> None:
    """As are keys taken, which this pipeline has no use for."""
    async with pipecat_peer.route() as url, opened(pipecat_server_url=url) as engine, conversation(engine) as stream:
        events = stream.events()
        await stream.dtmf("5")
        await stream.tell("a story please")
        await until("audio", events)
        await stream.tell("hello")
        cut, found = await until("turn_done", events), await until("turn_done", events)
    assert sum(len(event.pcm) for event in cut) < 48_000
    assert [event.text for event in found if event.kind == "agent_text"] == ["you said hello"]
    assert spoken(b"".join(event.pcm for event in found), engine.sample_rate) == "you said hello"


async def test_the_runner_wants_a_token_for_each_session() -> None:
    """Which its start gives; whoever comes without is refused."""
    async with pipecat_peer.runner() as url:
        async with opened(start_url=url) as engine:
            await engine.check()
            for _ in range(2):
                async with conversation(engine) as stream:
                    await stream.tell("hello")
                    assert "audio" in {event.kind for event in await until("turn_done", stream.events())}
        without = url.replace("http", "ws").replace("/start", "/ws-client")
        async with opened(pipecat_server_url=without) as engine:
            with pytest.raises(AuthenticationFailed):
                await engine.check()


@asynccontextmanager
async def opened(**settings: str) -> AsyncIterator[PipecatS2s]:
    """Give an engine with these settings."""
    engine = PipecatS2s(PipecatConfig.model_validate(settings))
    await engine.open()
    try:
        yield engine
    finally:
        await engine.aclose()
