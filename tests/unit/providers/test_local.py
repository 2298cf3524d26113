"""The local provider names engines."""

from __future__ import annotations

import pytest

from providers.registry import PROVIDERS
from voicebackend.config import BackendConfig
from voicebackend.errors import InvalidConfig

CONFIG = BackendConfig(provider="local", stt_provider="moonshine", tts_provider="hibari")


def test_listening_engines_have_defaults() -> None:
    """Only recogniser and voice need be named."""
    named = {role: name for role, (name, _) in PROVIDERS.create("local").engines(CONFIG).items()}
    assert named == {"stt": "moonshine", "tts": "hibari", "vad": "silero", "turn": "dangling", "noise": "webrtc"}


def test_what_the_config_names_wins() -> None:
    """Swapping an engine is configuration only."""
    config = CONFIG.with_vad_provider("energy").with_turn_detection_provider("silence")
    named = PROVIDERS.create("local").engines(config.with_noise_cancellation_provider("none"))
    assert [named[role][0] for role in ("vad", "turn", "noise")] == ["energy", "silence", "none"]


def test_settings_reach_their_engine() -> None:
    """By role."""
    named = PROVIDERS.create("local", {"noise": {"level": 3}}).engines(CONFIG)
    assert named["noise"] == ("webrtc", {"level": 3})
    assert named["vad"] == ("silero", {})


def test_a_role_that_does_not_exist_is_refused() -> None:
    """A typing error does not go unnoticed."""
    with pytest.raises(InvalidConfig) as caught:
        PROVIDERS.create("local", {"nois": {"level": 3}})
    assert caught.value.details["field"] == "nois"
