"""Engine ``vocode``, tried on a real Vocode server and on one that behaves as it does, with the suites of all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from listening import voice
from pydantic import SecretStr
from vocode_double import VocodeDouble
from vocode_peer import vocode

from providers.conformance.double import KEY, Double
from providers.conformance.remote import SocketSuite
from providers.conformance.s2s import S2sSuite, conversation, until
from providers.vocode.config import VocodeConfig
from providers.vocode.s2s import VocodeS2s
from voicebackend.audio import PIPELINE_RATE, AudioFormat
from voicebackend.interfaces import Engine, S2sStream, SpeechToSpeech

SETTINGS: dict[str, Any] = {"answer_gap": 0.2}
"""Answers are over soon."""


async def say(stream: S2sStream, text: str) -> None:
    """Say something in tones, and fall silent for half a second."""
    form = AudioFormat()
    pcm = voice(text, PIPELINE_RATE) + form.silence(0.5)
    for at in range(0, len(pcm), form.frame_bytes):
        await stream.push(pcm[at : at + form.frame_bytes])


def made(double: Double, key: str = KEY, **settings: Any) -> VocodeS2s:
    """Return the engine of a server, not open."""
    return VocodeS2s(VocodeConfig(url=f"{double.ws_url}/conversation", api_key=SecretStr(key), **(SETTINGS | settings)))


class TestVocode(S2sSuite):
    """A conversation."""

    @pytest.fixture
    async def engine(self) -> AsyncIterator[SpeechToSpeech]:
        """Give the engine and a server that speaks five times as fast."""
        async with VocodeDouble(pace=0.2) as double:
            engine = made(double)
            await engine.open()
            yield engine
            await engine.aclose()
            assert await double.released()
            assert not double.garbled

    async def speak(self, stream: S2sStream) -> None:
        await say(stream, "hello")


@pytest.mark.peers
class TestVocodeServer(S2sSuite):
    """The same conversation, with the real server in real time."""

    @pytest.fixture(params=[(), ("partials",)], ids=["finals", "partials"])
    async def engine(self, request: pytest.FixtureRequest) -> AsyncIterator[SpeechToSpeech]:
        """Give the engine; callers interrupt when they are understood, or as soon as they speak."""
        async with vocode(*request.param) as url:
            engine = VocodeS2s(VocodeConfig(url=url, **SETTINGS))
            await engine.open()
            yield engine
            await engine.aclose()

    async def speak(self, stream: S2sStream) -> None:
        await say(stream, "hello")


class TestVocodeInTrouble(SocketSuite):
    """Faults."""

    def make_double(self) -> Double:
        return VocodeDouble(pace=0.2)

    def make_engine(self, double: Double, *, key: str = KEY, **settings: Any) -> Engine:
        return made(double, key, **settings)

    async def use(self, engine: Engine) -> object:
        assert isinstance(engine, SpeechToSpeech)
        async with conversation(engine) as stream:
            await say(stream, "hello")
            found = await until("turn_done", stream.events())
        return [event for event in found if event.kind == "audio"]


@pytest.mark.peers
async def test_a_real_agent_greets() -> None:
    """An answer like any other, which nobody asked for; the next one is to what the caller says."""
    async with vocode("greeting=good day") as url:
        engine = VocodeS2s(VocodeConfig(url=url, **SETTINGS))
        await engine.open()
        async with conversation(engine) as stream:
            events = stream.events()
            greeting = await until("turn_done", events)
            await say(stream, "hello")
            answer = await until("turn_done", events)
        await engine.aclose()
    assert [event.text for event in greeting if event.kind == "agent_text"] == ["good day"]
    assert [event.text for event in answer if event.kind == "agent_text"] == ["you said hello"]
