"""The OpenAI engines against a double of the vendor."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from listening import voice
from openai_double import OpenAiDouble

from providers.conformance.double import KEY, Double
from providers.conformance.remote import QUICK, RemoteSuite, SocketSuite
from providers.conformance.s2s import SayingSuite, until
from providers.conformance.stt import Said, SttSuite, ignore, push
from providers.conformance.tts import Hear, TtsSuite, say
from providers.mock.tones import speak, spoken
from providers.registry import S2S, STT, TTS
from voicebackend.audio import PIPELINE_RATE, AudioFormat, FrameCutter
from voicebackend.interfaces import S2sStream, SpeechToSpeech, SpeechToText, TextToSpeech

PACE_S = 0.04
TALK = {"model": "talk-1", "voice": "marin", "transcription_model": "hear-1", "speech_model": "speak-1"}
HELLO = voice("hello", PIPELINE_RATE) + AudioFormat().silence(0.5)


def settings_of(double: Double, **others: Any) -> dict[str, Any]:
    """Return what every engine is told."""
    return {"api_key": KEY, "api_url": f"{double.url}/v1", **QUICK, **others}


@pytest.fixture
async def double() -> AsyncIterator[OpenAiDouble]:
    """Give the vendor."""
    async with OpenAiDouble() as double:
        yield double
        assert not double.garbled


class TestStt(SttSuite):
    """Tones are read back exactly."""

    tolerated = 0.0
    settings: dict[str, Any] = {"model": "hear-1"}  # noqa: RUF012 - of the class on purpose

    @pytest.fixture
    async def engine(self, double: OpenAiDouble) -> AsyncIterator[SpeechToText]:
        """Give the ear."""
        engine = STT.create("openai", settings_of(double, **self.settings))
        await engine.open()
        yield engine
        await engine.aclose()

    @pytest.fixture
    def said(self) -> list[Said]:
        """Give canary words."""
        texts = ("canary one ", "yellow bird two ", "the third of them ")
        return [(speak(text, PIPELINE_RATE, PACE_S), text) for text in texts]


class TestSttThatCannotStream(TestStt):
    """It ignores that it was asked to."""

    settings = {"model": "hear-whole-1"}  # noqa: RUF012 - of the class on purpose


class TestSttWithoutPartials(TestStt):
    """It is not asked to."""

    settings = {"model": "hear-1", "partials": False, "language": "en", "prompt": "canary"}  # noqa: RUF012 - so


class TestSttFaults(RemoteSuite):
    """Whatever may go wrong."""

    def make_double(self) -> Double:
        return OpenAiDouble()

    def make_engine(self, double: Double, *, key: str = KEY, **settings: Any) -> SpeechToText:
        return STT.create("openai", {**settings_of(double, model="hear-1"), **settings, "api_key": key})

    async def use(self, engine: Any) -> object:
        stream = await engine.stream(ignore)
        try:
            await push(stream, speak("hello ", PIPELINE_RATE, PACE_S))
            return (await stream.finish()).text
        finally:
            await stream.aclose()


class TestTts(TtsSuite):
    """Tones are read back exactly."""

    tolerated = 0.0

    @pytest.fixture
    async def engine(self, double: OpenAiDouble) -> AsyncIterator[TextToSpeech]:
        """Give the voice."""
        engine = TTS.create("openai", settings_of(double, model="speak-1", voice="marin", speed=1.0))
        await engine.open()
        yield engine
        await engine.aclose()

    @pytest.fixture
    def hear(self) -> Hear:
        """Read tones back."""

        async def read(pcm: bytes) -> str:
            return spoken(pcm, PIPELINE_RATE)

        return read


class TestTtsFaults(RemoteSuite):
    """Whatever may go wrong."""

    def make_double(self) -> Double:
        return OpenAiDouble()

    def make_engine(self, double: Double, *, key: str = KEY, **settings: Any) -> TextToSpeech:
        told = settings_of(double, model="speak-1", voice="marin")
        return TTS.create("openai", {**told, **settings, "api_key": key})

    async def use(self, engine: Any) -> object:
        return await say(engine, "Hello there.")


async def speak_to(stream: S2sStream, pcm: bytes = HELLO) -> None:
    """Hand audio over as the pipeline does, faster than it was spoken."""
    for frame in FrameCutter(PIPELINE_RATE).push(pcm):
        await stream.push(frame)


class TestS2s(SayingSuite):
    """A conversation in tones."""

    @pytest.fixture
    async def engine(self, double: OpenAiDouble) -> AsyncIterator[SpeechToSpeech]:
        """Give the model."""
        engine = S2S.create("openai", settings_of(double, **TALK))
        await engine.open()
        yield engine
        await engine.aclose()

    async def speak(self, stream: S2sStream) -> None:
        await speak_to(stream)


class TestS2sFaults(SocketSuite):
    """Whatever may go wrong."""

    def make_double(self) -> Double:
        return OpenAiDouble()

    def make_engine(self, double: Double, *, key: str = KEY, **settings: Any) -> SpeechToSpeech:
        return S2S.create("openai", {**settings_of(double, **TALK), **settings, "api_key": key})

    async def use(self, engine: Any) -> object:
        stream = await engine.stream(metadata={})
        try:
            await speak_to(stream)
            return await until("turn_done", stream.events())
        finally:
            await stream.aclose()
