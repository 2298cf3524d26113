"""What every ear, voice, model and provider must do: Cartesia's, against the double."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from cartesia_double import AGENT, VOICE, CartesiaDouble
from listening import voice

from providers.conformance.double import KEY, Double
from providers.conformance.remote import SocketSuite
from providers.conformance.s2s import S2sSuite, conversation, until
from providers.conformance.stt import Said, SttSuite, ignore, push
from providers.conformance.tts import Hear, TtsSuite, say
from providers.mock.tones import spoken
from providers.registry import ENGINES, S2S, STT, TTS
from voicebackend.audio import PIPELINE_RATE, AudioFormat, FrameCutter
from voicebackend.interfaces import Engine, S2sStream, SpeechToSpeech, SpeechToText, TextToSpeech

SETTINGS: dict[str, dict[str, Any]] = {
    "stt": {"stt_model_id": "ink-test"},
    "tts": {"model_id": "sonic-test", "voice_id": VOICE},
    "s2s": {"agent_id": AGENT},
}


def make(role: str, double: Double, key: str = KEY, **settings: Any) -> Any:
    """Return an engine, not open."""
    return ENGINES[role].create("cartesia", {"api_url": double.url, "api_key": key, **SETTINGS[role], **settings})


@pytest.fixture
async def double() -> AsyncIterator[CartesiaDouble]:
    """Give the vendor; nothing that it does not know was sent to it."""
    async with CartesiaDouble(pace=0.2) as double:
        yield double
        assert double.garbled == []


class TestStt(SttSuite):
    """Hears tones."""

    tolerated = 0.0

    @pytest.fixture
    async def engine(self, double: CartesiaDouble) -> AsyncIterator[SpeechToText]:
        engine = make("stt", double)
        await engine.open()
        yield engine
        await engine.aclose()

    @pytest.fixture
    def said(self) -> list[Said]:
        return [(voice(text, PIPELINE_RATE), text) for text in ("canary one", "yellow bird two", "the third of them")]


class TestTts(TtsSuite):
    """Speaks in tones, and tells when each word sounds."""

    tolerated = 0.0

    @pytest.fixture
    async def engine(self, double: CartesiaDouble) -> AsyncIterator[TextToSpeech]:
        engine = make("tts", double)
        await engine.open()
        yield engine
        await engine.aclose()

    @pytest.fixture
    def hear(self) -> Hear:
        async def read(pcm: bytes) -> str:
            return spoken(pcm, PIPELINE_RATE)

        return read


class TestS2s(S2sSuite):
    """A managed agent."""

    @pytest.fixture
    async def engine(self, double: CartesiaDouble) -> AsyncIterator[SpeechToSpeech]:
        engine = make("s2s", double)
        await engine.open()
        yield engine
        await engine.aclose()

    async def speak(self, stream: S2sStream) -> None:
        await tell(stream, "hello")


async def tell(stream: S2sStream, text: str) -> None:
    """Say something in tones, and fall silent."""
    pcm = voice(text, PIPELINE_RATE) + AudioFormat().silence(0.5)
    for frame in FrameCutter(PIPELINE_RATE).push(pcm):
        await stream.push(frame)


class _Remote(SocketSuite):
    role: str

    def make_double(self) -> Double:
        return CartesiaDouble(pace=0.2)

    def make_engine(self, double: Double, *, key: str = KEY, **settings: Any) -> Engine:
        engine: Engine = make(self.role, double, key, **settings)
        return engine


class TestRemoteStt(_Remote):
    """One utterance."""

    role = "stt"

    async def use(self, engine: Engine) -> object:
        assert isinstance(engine, SpeechToText)
        stream = await engine.stream(ignore)
        try:
            await push(stream, voice("hello", PIPELINE_RATE))
            return (await stream.finish()).text
        finally:
            await stream.aclose()


class TestRemoteTts(_Remote):
    """One text, on a connection of its own."""

    role = "tts"

    def make_engine(self, double: Double, *, key: str = KEY, **settings: Any) -> Engine:
        return super().make_engine(double, key=key, keep_open=0, **settings)

    async def use(self, engine: Engine) -> object:
        assert isinstance(engine, TextToSpeech)
        return await say(engine, "hello")


class TestRemoteS2s(_Remote):
    """One answer."""

    role = "s2s"

    async def use(self, engine: Engine) -> object:
        assert isinstance(engine, SpeechToSpeech)
        async with conversation(engine) as stream:
            await tell(stream, "hello")
            return await until("turn_done", stream.events())


@pytest.mark.parametrize("registry", [STT, TTS, S2S], ids=lambda registry: registry.kind)
def test_it_is_reached_over_a_network(registry: Any) -> None:
    """So another engine may take its place when it breaks."""
    assert registry.get("cartesia").remote is True
