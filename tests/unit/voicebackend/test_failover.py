"""What a deployment falls back on, as it is configured."""

from __future__ import annotations

import pytest

from voicebackend.config import BackendConfig
from voicebackend.errors import InvalidConfig


def test_it_comes_from_the_environment() -> None:
    """As YAML, like other fields with parts."""
    config = BackendConfig.from_env(
        {
            "VOICEBACKEND_FAILOVER": "{stt: [cartesia, moonshine], s2s_timeout: 6}",
            "VOICEBACKEND_ENGINE_SETTINGS": "{stt/cartesia: {model: m}, cartesia: {model: other}}",
        }
    )
    assert config.failover.stt == ("cartesia", "moonshine")
    assert config.failover.s2s_timeout.total_seconds() == 6
    assert config.settings_of("stt", "cartesia") == {"model": "m"}
    assert config.settings_of("tts", "cartesia") == {"model": "other"}
    assert config.settings_of("tts", "nobody") == {}


@pytest.mark.parametrize("wrong", [{"ears": ["x"]}, {"stt": [""]}, {"tts_timeout": 0}, {"stt": ["x"] * 9}])
def test_what_is_wrong_is_named(wrong: dict[str, object]) -> None:
    """At construction."""
    with pytest.raises(InvalidConfig) as caught:
        BackendConfig(failover=wrong)
    assert str(caught.value.details["field"]).startswith("failover")


def test_settings_are_in_no_repr() -> None:
    """They hold keys."""
    assert "sk-1" not in repr(BackendConfig(engine_settings={"openai": {"api_key": "sk-1"}}))
