"""ElevenLabs' engines against a double of the vendor: the suites of their kinds, and that of remote engines."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from elevenlabs_double import AGENT, PUBLIC_AGENT, ElevenLabsDouble
from elevenlabs_vendor import agent_of, running, speak, voice_of
from listening import answer_to

from providers.conformance.double import KEY, Double
from providers.conformance.remote import QUICK, AnswerSuite, RemoteSuite, SocketSuite
from providers.conformance.s2s import S2sSuite, conversation, until
from providers.conformance.tts import Hear, TtsSuite, say
from providers.mock.tones import spoken
from providers.registry import S2S
from voicebackend.audio import PIPELINE_RATE
from voicebackend.errors import AuthenticationFailed
from voicebackend.interfaces import Engine, S2sStream, SpeechToSpeech, TextToSpeech


@pytest.fixture
async def vendor() -> AsyncIterator[ElevenLabsDouble]:
    """Give the double."""
    async with running() as double:
        yield double


class TestVoice(TtsSuite):
    """With word times."""

    tolerated = 0.0
    settings: dict[str, Any] = {}  # noqa: RUF012 - of the class, and never changed

    @pytest.fixture
    async def engine(self, vendor: ElevenLabsDouble) -> AsyncIterator[TextToSpeech]:
        """Give the voice."""
        engine = voice_of(vendor, **self.settings)
        await engine.open()
        yield engine
        await engine.aclose()

    @pytest.fixture
    def hear(self) -> Hear:
        """Read tones back."""

        async def read(pcm: bytes) -> str:
            return spoken(pcm, PIPELINE_RATE)

        return read


class TestVoiceWithoutTimes(TestVoice):
    """Bare audio."""

    settings = {"word_times": False, "sample_rate": 16_000}  # noqa: RUF012 - of the class, and never changed


class TestAgent(S2sSuite):
    """An agent that tells when an answer is over."""

    ends, counts, speaks, hears = "final", "answers", "pcm_16000", "pcm_16000"

    @pytest.fixture
    async def engine(self, vendor: ElevenLabsDouble) -> AsyncIterator[SpeechToSpeech]:
        """Give the agent."""
        agent = vendor.agent
        agent.ends, agent.counts, agent.speaks, agent.hears = self.ends, self.counts, self.speaks, self.hears
        engine = agent_of(vendor)
        await engine.open()
        yield engine
        await engine.aclose()

    async def speak(self, stream: S2sStream) -> None:
        """Say hello in tones."""
        await speak(stream)

    async def test_words_arrive_to_the_letter(self, engine: SpeechToSpeech) -> None:
        """Both ways, at whatever rates the agent has."""
        async with conversation(engine) as stream:
            await self.speak(stream)
            found = await until("turn_done", stream.events())
        heard = spoken(b"".join(event.pcm for event in found), engine.sample_rate)
        assert heard == answer_to("hello")
        assert [event.text for event in found if event.kind == "agent_text" and event.final] == [answer_to("hello")]
        assert [event.text for event in found if event.kind == "user_text"][-1] == "hello"


class TestAgentThatTellsThatAllIsSaid(TestAgent):
    """By a message of its own, and every piece of audio has an id of its own."""

    ends, counts = "complete", "pieces"


class TestAgentThatTellsNoEnd(TestAgent):
    """An answer is over when nothing has come for a while."""

    ends, counts = "silence", "pieces"


class TestAgentOnTheTelephone(TestAgent):
    """Speaks and hears G.711."""

    speaks = hears = "ulaw_8000"


class TestAgentAtOtherRates(TestAgent):
    """What is neither the caller's rate nor the telephone's."""

    speaks, hears = "pcm_24000", "pcm_44100"


class TestRemoteVoice(RemoteSuite):
    """The voice, when the vendor does not do what it should."""

    def make_double(self) -> Double:
        return ElevenLabsDouble()

    def make_engine(self, double: Double, *, key: str = KEY, **settings: Any) -> Engine:
        return voice_of(double, api_key=key, **settings)

    async def use(self, engine: Engine) -> object:
        assert isinstance(engine, TextToSpeech)
        return await say(engine, "hello")


class TestRemoteVoiceWithoutTimes(TestRemoteVoice):
    """The same for bare audio."""

    def make_engine(self, double: Double, *, key: str = KEY, **settings: Any) -> Engine:
        return voice_of(double, api_key=key, word_times=False, **settings)


class _RemoteAgent(RemoteSuite):
    def make_double(self) -> Double:
        return ElevenLabsDouble()

    def make_engine(self, double: Double, *, key: str = KEY, **settings: Any) -> Engine:
        return agent_of(double, api_key=key, **settings)

    async def use(self, engine: Engine) -> object:
        assert isinstance(engine, SpeechToSpeech)
        async with conversation(engine) as stream:
            await speak(stream)
            return await until("turn_done", stream.events())


class TestRemoteAgent(_RemoteAgent, AnswerSuite):
    """An agent that needs a signed URL."""


class TestRemotePublicAgent(_RemoteAgent, SocketSuite):
    """One that lets anybody in: its websocket is the first thing asked for."""

    def make_engine(self, double: Double, *, key: str = KEY, **settings: Any) -> Engine:
        del key
        return S2S.create("elevenlabs", {"api_url": double.url, "agent_id": PUBLIC_AGENT, "public": True, **settings})

    async def test_a_wrong_key_is_told_at_once(self, double: Double) -> None:
        """There is no key, so what is told is that the agent is not public after all."""
        engine = S2S.create("elevenlabs", {"api_url": double.url, "agent_id": AGENT, "public": True, **QUICK})
        await engine.open()
        with pytest.raises(AuthenticationFailed):
            await self.use(engine)
        await engine.aclose()
        assert len(double.seen) == 1
