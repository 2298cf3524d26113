"""Whole conversations by Cartesia, with the suites of all: its ear and voice with an agent of ours, and its agent."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from cartesia_double import AGENT, VOICE, CartesiaDouble
from conversation_suite import ConversationSuite
from cut_suite import CutSuite

from providers.conformance.double import KEY
from voicebackend import BackendConfig
from voicebackend.config import PipelineType

pytestmark = [pytest.mark.integration, pytest.mark.own_redis("the embedded library starts its own")]


class FragileDouble(CartesiaDouble):
    """Who is cut off loses the voice as well, with everybody else who uses it."""

    def cut(self, ws: web.WebSocketResponse) -> None:
        """Break a call's ear and every voice; or a call's agent, which is both."""
        for voice in [voice.ws for voice in self.voices if voice.ws in self.sockets]:
            super().cut(voice)
        super().cut(ws)


class _Cartesia(ConversationSuite, CutSuite):
    pipeline: PipelineType

    @pytest.fixture
    async def double(self) -> AsyncIterator[CartesiaDouble]:
        """Give the vendor; every call has ended, and was spoken as its documentation has it."""
        async with FragileDouble() as double:
            yield double
            assert double.seen
            assert await double.released()
            assert double.garbled == []

    @pytest.fixture
    def config(self, double: CartesiaDouble) -> BackendConfig:
        """Give a config that reaches the double."""
        settings = {
            "api_key": KEY,
            "api_url": double.url,
            "agent_id": AGENT,
            "stt_model_id": "ink-test",
            "model_id": "sonic-test",
            "voice_id": VOICE,
        }
        config = BackendConfig(provider="cartesia", pipeline_type=self.pipeline, provider_config=settings)
        return config.with_vad_provider("energy").with_noise_cancellation_provider("none")  # tones are no speech


class TestEnginesWithAnAgentOfOurs(_Cartesia):
    """The vendor hears and speaks; we decide who speaks when."""

    pipeline = PipelineType.STT_TTS


class TestManagedAgent(_Cartesia):
    """The vendor converses."""

    pipeline = PipelineType.S2S
    agent = None
