"""Configuration: defaults, rules, chaining, YAML and environment."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from voicebackend.config import BackendConfig, PipelineType
from voicebackend.errors import InvalidConfig


def test_defaults_are_those_promised() -> None:
    """As the contract has them."""
    config = BackendConfig()
    assert config.pipeline_type is PipelineType.STT_TTS
    assert config.latency_target_s == 0.5
    assert config.with_pipeline_type("s2s").latency_target_s == 0.3
    assert config.timeout == timedelta(seconds=30)
    assert (config.max_retries, config.retry_delay) == (3, timedelta(seconds=1))
    assert config.max_concurrent_sessions == 100
    assert config.enable_tracing
    assert config.enable_metrics
    assert config.enable_structured_logging


def test_with_methods_chain_and_change_nothing_else() -> None:
    """Each returns a new config."""
    empty = BackendConfig()
    config = empty.with_provider("livekit").with_stt_provider("openai").with_tts_provider("openai")
    assert (config.provider, config.stt_provider, config.tts_provider) == ("livekit", "openai", "openai")
    assert empty.provider == ""


@pytest.mark.parametrize("field", sorted(BackendConfig.model_fields))
def test_every_field_has_its_method(field: str) -> None:
    """One ``with_<field>`` each, which sets that field."""
    config = BackendConfig()
    assert getattr(config, f"with_{field}")(getattr(config, field)) == config


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("latency_target", 0.05), ("latency_target", 6), ("timeout", 0.5), ("timeout", 301), ("max_retries", -1),
        ("max_retries", 11), ("retry_delay", 0.05), ("retry_delay", 31), ("max_concurrent_sessions", -1),
        ("pipeline_type", "telepathy"), ("provider_config", []), ("timeout", "soon"), ("no_such_field", 1),
    ],
)  # fmt: skip
def test_a_bad_value_names_its_field(field: str, value: Any) -> None:
    """The error is ours, and does not repeat the value, which may be a secret."""
    with pytest.raises(InvalidConfig) as caught:
        BackendConfig(**{field: value})
    assert caught.value.details["field"].startswith(field)
    assert caught.value.code == "invalid_config"


@pytest.mark.parametrize(("given", "seconds"), [("PT5S", 5), (7, 7), ("7.5", 7.5), ("PT1M", 60)])
def test_durations_are_seconds_or_iso_8601(given: Any, seconds: float) -> None:
    """As numbers, as text from the environment, and as ISO 8601."""
    assert BackendConfig(timeout=given).timeout.total_seconds() == seconds


@pytest.mark.parametrize(
    ("config", "field"),
    [
        (BackendConfig(), "provider"),
        (BackendConfig(provider="local"), "stt_provider"),
        (BackendConfig(provider="local", stt_provider="moonshine"), "tts_provider"),
        (BackendConfig(provider="local", pipeline_type="s2s"), "s2s_provider"),
    ],
)
def test_what_is_missing_is_named(config: BackendConfig, field: str) -> None:
    """The rules that span fields are applied by ``checked``."""
    with pytest.raises(InvalidConfig) as caught:
        config.checked()
    assert caught.value.details == {"field": field}


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"embedder": "m:e"}, "embedder"), ({"retriever": "m:r", "vector_store": "m:v"}, "retriever")],
)
def test_parts_that_do_not_go_together_are_named(fields: dict[str, str], field: str) -> None:
    """An embedder without a store, two places to look."""
    with pytest.raises(InvalidConfig) as caught:
        BackendConfig(provider="mock", **fields).checked(own_pipeline=True)
    assert caught.value.details == {"field": field}


def test_a_provider_with_its_own_pipeline_needs_no_engines() -> None:
    """Only its name."""
    config = BackendConfig(provider="mock")
    assert config.checked(own_pipeline=True) is config


def test_yaml_and_environment(tmp_path: Path) -> None:
    """The environment goes over the file it names; mappings are YAML."""
    path = tmp_path / "voice.yaml"
    path.write_text("provider: local\nmax_retries: 5\n", encoding="utf-8")
    config = BackendConfig.from_env(
        {
            "VOICEBACKEND_CONFIG": str(path),
            "VOICEBACKEND_PROVIDER": "mock",
            "VOICEBACKEND_PROVIDER_CONFIG": '{"transcripts": ["hi"]}',
            "VOICEBACKEND_ENABLE_TRACING": "false",
            "VOICEBACKEND_PORT": "1",
        }
    )
    assert (config.provider, config.max_retries, config.enable_tracing) == ("mock", 5, False)
    assert config.provider_config == {"transcripts": ["hi"]}


@pytest.mark.parametrize("text", ["- a list", "provider: [", "provder: mock"])
def test_a_bad_file_is_refused(tmp_path: Path, text: str) -> None:
    """Not a mapping, not YAML, a misspelt field."""
    path = tmp_path / "voice.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidConfig):
        BackendConfig.from_yaml(path)


def test_a_missing_file_is_named() -> None:
    """The path stands in the error."""
    with pytest.raises(InvalidConfig, match=r"nowhere\.yaml"):
        BackendConfig.from_yaml("nowhere.yaml")


def test_settings_that_may_hold_keys_are_not_shown() -> None:
    """A configuration is printed in logs and failures."""
    config = BackendConfig(provider_config={"api_key": "sk-1"}, engine_settings={"openai": {"api_key": "sk-2"}})
    assert "sk-" not in f"{config!r} {config}"
