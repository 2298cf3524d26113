"""Engine ``vapi`` against its double."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from listening import voice
from pydantic import SecretStr
from vapi_double import VapiDouble

from providers.conformance.double import KEY, Double
from providers.conformance.remote import AnswerSuite, SocketSuite
from providers.conformance.s2s import SayingSuite, conversation, until
from providers.vapi.config import VapiConfig
from providers.vapi.s2s import VapiS2s
from voicebackend.audio import PIPELINE_RATE, FrameCutter
from voicebackend.errors import ConnectionFailed
from voicebackend.interfaces import Engine, S2sStream, SpeechToSpeech


def made(double: Double, *, key: str = KEY, **settings: Any) -> VapiS2s:
    """Return an engine that reaches the double."""
    config = VapiConfig(api_key=SecretStr(key), api_url=double.url, assistant_id="assistant", **settings)
    return VapiS2s(config)


async def speak(stream: S2sStream, text: str = "hello") -> None:
    """Say something to the assistant, and fall silent."""
    for frame in FrameCutter(PIPELINE_RATE).push(voice(text, PIPELINE_RATE) + bytes(PIPELINE_RATE)):
        await stream.push(frame)


class TestVapi(SayingSuite):
    """An assistant that hears tones."""

    @pytest.fixture
    async def engine(self) -> AsyncIterator[SpeechToSpeech]:
        """Give the engine, with its double behind it."""
        async with VapiDouble() as double:
            engine = made(double)
            await engine.open()
            yield engine
            await engine.aclose()
            assert not double.garbled
            assert not double.live

    async def speak(self, stream: S2sStream) -> None:
        """Say something in tones."""
        await speak(stream)


class TestVapiThatHums(TestVapi):
    """It sends silence between answers, and wraps its messages."""

    @pytest.fixture
    async def engine(self) -> AsyncIterator[SpeechToSpeech]:
        """Give the engine, at another rate."""
        async with VapiDouble(wrapped=True, hums=True) as double:
            engine = made(double, sample_rate=24_000)
            await engine.open()
            yield engine
            await engine.aclose()
            assert not double.garbled
            assert not double.live


class TestVapiInTrouble(AnswerSuite, SocketSuite):
    """Faults of its HTTP and of its websocket."""

    makes = True

    def make_double(self) -> Double:
        return VapiDouble()

    def make_engine(self, double: Double, *, key: str = KEY, **settings: Any) -> Engine:
        return made(double, key=key, **settings)

    async def use(self, engine: Engine) -> object:
        assert isinstance(engine, VapiS2s)
        async with conversation(engine) as stream:
            await speak(stream)
            found = await until("turn_done", stream.events())
        if not any(event.kind == "audio" for event in found):
            raise ConnectionFailed("test", "it said nothing")
        return found
