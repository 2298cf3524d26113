"""Whole conversations by OpenAI, with the suites of all: its ear and voice; its model, alone and with our agent."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from conversation_suite import ConversationSuite
from cut_suite import CutSuite
from openai_double import OpenAiDouble

from providers.conformance.double import KEY
from voicebackend import BackendConfig

pytestmark = [pytest.mark.integration, pytest.mark.own_redis("the embedded library starts its own")]

TALK = {"model": "talk-1", "voice": "marin", "transcription_model": "hear-1", "speech_model": "speak-1"}


class _OpenAi:
    vendor: type[OpenAiDouble] = OpenAiDouble

    @pytest.fixture
    async def double(self) -> AsyncIterator[OpenAiDouble]:
        """Give the vendor; every call has ended, and was spoken as its documentation has it."""
        async with self.vendor() as double:
            yield double
            assert double.seen
            assert await double.released()
            assert double.garbled == []


class _Engines(_OpenAi):
    """The vendor hears and speaks; we decide who speaks when."""

    @pytest.fixture
    def config(self, double: OpenAiDouble) -> BackendConfig:
        """Give a config that reaches the double."""
        common = {"api_key": KEY, "api_url": double.api_url}
        settings = {
            "stt": {**common, "model": "hear-1"},
            "tts": {**common, "model": "speak-1", "voice": "marin"},
        }
        config = BackendConfig(provider="local", stt_provider="openai", tts_provider="openai", provider_config=settings)
        return config.with_vad_provider("energy").with_noise_cancellation_provider("none")  # tones are no speech


class _Breaking(OpenAiDouble):
    """Breaks requests, since there is no connection for each call."""

    async def call_after(self, before: object) -> web.WebSocketResponse:
        """Stand for a call."""
        del before
        return web.WebSocketResponse()

    def cut(self, ws: web.WebSocketResponse) -> None:
        """Break the next request in its middle."""
        del ws
        self.to_break += 1


class TestEngines(_Engines, ConversationSuite):
    """With an agent of ours."""


class TestEnginesOverCutConnections(_Engines, CutSuite):
    """With an agent of ours."""

    vendor = _Breaking
    agent = staticmethod(ConversationSuite.agent)


class TestRealtime(_OpenAi, ConversationSuite, CutSuite):
    """The vendor converses."""

    agent = None

    @pytest.fixture
    def config(self, double: OpenAiDouble) -> BackendConfig:
        """Give a config that reaches the double."""
        settings = {"s2s": {"api_key": KEY, "api_url": double.api_url, **TALK}}
        return BackendConfig(provider="local", pipeline_type="s2s", s2s_provider="openai", provider_config=settings)


class TestRealtimeWithAnAgentOfOurs(TestRealtime):
    """The vendor hears and speaks, and notices turns."""

    agent = staticmethod(ConversationSuite.agent)
