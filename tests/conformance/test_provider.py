"""What every provider must tell about itself: each inherits the suite."""

from __future__ import annotations

import pytest

from providers.conformance import ProviderSuite
from providers.registry import PROVIDERS
from voicebackend.config import BackendConfig, PipelineType
from voicebackend.interfaces import VoiceProvider


class TestMock(ProviderSuite):
    """Needs nothing."""

    name = "mock"
    config = BackendConfig(
        provider="mock",
        provider_config={"transcripts": ["one", "two"], "stt_delay": "PT0.1S", "audio": ["AAEAAQ=="], "errors": {}},
    )


class TestEcho(ProviderSuite):
    """Needs nothing, and has no engines."""

    name = "echo"
    config = BackendConfig(provider="echo")


class TestLocal(ProviderSuite):
    """Takes the engines that the config names."""

    name = "local"
    config = BackendConfig(
        provider="local",
        stt_provider="moonshine",
        tts_provider="hibari",
        s2s_provider="mock",
        provider_config={"noise": {"level": 1}},
    )


class TestVocode(ProviderSuite):
    """A server hears, thinks and speaks."""

    name = "vocode"
    config = BackendConfig(
        provider="vocode",
        provider_config={
            "url": "ws://localhost:3000/conversation",
            "api_key": "sk-test",
            "max_call_duration": 60,
            "goodbyes": ["bye"],
            "vad": "energy",
        },
    )


class TestCartesia(ProviderSuite):
    """Hears and speaks by itself, and answers by an agent of ours; or by its own."""

    name = "cartesia"
    config = BackendConfig(
        provider="cartesia",
        provider_config={
            "api_key": "sk-test",
            "stt_model_id": "i",
            "model_id": "s",
            "voice_id": "v",
            "keep_open": "PT5S",
        },
    )

    @pytest.fixture(autouse=True)
    def no_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Take the settings' key."""
        monkeypatch.delenv("CARTESIA_API_KEY", raising=False)


class TestCartesiaAgent(TestCartesia):
    """A managed agent hears, thinks and speaks."""

    config = BackendConfig(
        provider="cartesia",
        pipeline_type=PipelineType.S2S,
        provider_config={"api_key": "sk-test", "agent_id": "agent", "dynamic_variables": {"name": "Ada", "vip": True}},
    )

    def test_what_it_brings_is_its_own_and_what_listens_may_be_others(self, provider: VoiceProvider) -> None:
        """So that the same configuration serves a provider that brings no engines."""
        named = provider.engines(self.config.with_s2s_provider("mock").with_vad_provider("energy"))
        assert {role: name for role, (name, _) in named.items()} == {
            "s2s": "cartesia",
            "vad": "energy",
            "turn": "dangling",
            "noise": "webrtc",
        }


class TestLiveKit(ProviderSuite):
    """Brings the callers, and takes the engines that the config names."""

    name = "livekit"
    config = BackendConfig(
        provider="livekit",
        stt_provider="moonshine",
        tts_provider="hibari",
        s2s_provider="mock",
        provider_config={
            "url": "wss://livekit.example.com",
            "api_key": "key",
            "api_secret": "not-a-secret-but-long-enough-for-hs256",
            "room_name": "call-{session_id}",
            "join_within": "PT1M",
            "noise": {"level": 1},
        },
    )


class TestPipecat(ProviderSuite):
    """A server hears, thinks and speaks."""

    name = "pipecat"
    config = BackendConfig(
        provider="pipecat",
        provider_config={
            "pipecat_server_url": "ws://localhost:7860/ws",
            "api_key": "sk-test",
            "rtvi_timeout": "PT1S",
            "vad": "energy",
        },
    )


class TestVapi(ProviderSuite):
    """A hosted assistant hears, thinks and speaks."""

    name = "vapi"
    config = BackendConfig(
        provider="vapi",
        provider_config={
            "api_key": "sk-test",
            "assistant_id": "assistant",
            "assistant_overrides": {"variableValues": {"name": "Ada"}},
            "max_call_duration": 60,
        },
    )


def test_every_provider_of_ours_is_held_to_the_suite() -> None:
    """Whoever adds one adds it here."""
    assert {suite.name for suite in _suites(ProviderSuite)} == {found.name for found in PROVIDERS.describe()}


def _suites(suite: type[ProviderSuite]) -> set[type[ProviderSuite]]:
    found = {one for one in suite.__subclasses__() if one.__module__ == __name__}
    return found.union(*(_suites(one) for one in found))
