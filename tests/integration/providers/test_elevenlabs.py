"""Whole conversations with an agent, and by a voice, of ElevenLabs' double, with the suite of all."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from conversation_suite import ConversationSuite, Counter
from cut_suite import CutSuite
from elevenlabs_double import AGENT, VOICE_ID, ElevenLabsDouble
from listening import answer_to

from providers.conformance.double import KEY
from voicebackend import BackendConfig

pytestmark = [pytest.mark.integration, pytest.mark.own_redis("the embedded library starts its own")]


@pytest.fixture
async def double() -> AsyncIterator[ElevenLabsDouble]:
    """Give the double; every call has ended, and was spoken to as the vendor's API has it."""
    async with ElevenLabsDouble() as double:
        yield double
        assert double.seen
        assert await double.released()
        assert not double.garbled


class TestAgent(ConversationSuite, CutSuite):
    """The agent answers."""

    agent = None

    @pytest.fixture
    def config(self, double: ElevenLabsDouble) -> BackendConfig:
        """Give a config of calls that ours carry and the agent answers."""
        settings = {"api_key": KEY, "api_url": double.url, "agent_id": AGENT}
        config = BackendConfig(provider="local", pipeline_type="s2s", provider_config={"s2s": settings})
        return config.with_s2s_provider("elevenlabs")


class TestVoice(ConversationSuite):
    """An agent of ours answers, by the vendor's voice."""

    @pytest.fixture
    def config(self, double: ElevenLabsDouble) -> BackendConfig:
        """Give a config of calls that ours carry and hear."""
        voice = {"api_key": KEY, "api_url": double.url, "model_id": "a_model", "voice_id": VOICE_ID}
        config = BackendConfig(provider="local", provider_config={"tts": voice, "stt": {"decode": True}})
        config = config.with_stt_provider("mock").with_tts_provider("elevenlabs")
        return (
            config.with_vad_provider("mock")
            .with_turn_detection_provider("mock")
            .with_noise_cancellation_provider("none")
        )

    async def test_a_voice_that_breaks_off_goes_on(
        self, config: BackendConfig, counter: Counter, double: ElevenLabsDouble
    ) -> None:
        """Wherever it breaks; all that is answered is said in the end."""
        async with self.call(config, counter) as caller:
            for pieces in range(6):
                double.breaks_after = pieces
                words = f"this is number {'abcdef'[pieces]}"
                before = len(caller.transcripts("agent"))
                caller.say(words)
                await caller.until(lambda before=before: len(caller.transcripts("agent")) > before)
                assert caller.transcripts("agent")[-1].strip() == answer_to(words)
        assert double.broken >= 5
