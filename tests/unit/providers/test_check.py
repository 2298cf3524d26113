"""Trying credentials, and what of a configuration is tried."""

from __future__ import annotations

import json

import pytest
from vapi_double import VapiDouble

from providers import check
from providers.conformance.double import KEY
from voicebackend.config import BackendConfig
from voicebackend.errors import ProviderNotFound


def _tried(name: str, config: BackendConfig) -> list[tuple[str, str]]:
    return [(one.role, one.name) for one in check.named(name, config)]


def test_a_provider_is_tried_with_the_engines_that_it_brings() -> None:
    """Those of the configured pipeline."""
    config = BackendConfig(provider="vapi", provider_config={"assistant_id": "a"})
    assert _tried("vapi", config) == [("provider", "vapi"), ("s2s", "vapi")]
    assert _tried("mock", BackendConfig()) == [("provider", "mock"), ("stt", "mock"), ("tts", "mock")]
    assert _tried("local", BackendConfig()) == [("provider", "local")]


def test_an_engine_is_tried_where_it_is_used_and_everywhere_if_nowhere() -> None:
    """As the first choice, or to fall back on; with its settings."""
    assert _tried("webrtc", BackendConfig(noise_cancellation_provider="webrtc")) == [("noise", "webrtc")]
    assert _tried("webrtc", BackendConfig()) == [("vad", "webrtc"), ("turn", "webrtc"), ("noise", "webrtc")]
    config = BackendConfig(stt_provider="openai", engine_settings={"stt/openai": {"model": "m"}})
    [one] = check.named("openai", config)
    assert (one.role, one.settings) == ("stt", {"model": "m"})


def test_a_name_that_there_is_not_lists_those_that_there_are() -> None:
    """Providers and engines."""
    with pytest.raises(ProviderNotFound) as caught:
        check.named("vappy", BackendConfig())
    assert {"vapi", "moonshine"} <= set(caught.value.details["known"])


@pytest.mark.parametrize(("key", "code"), [(KEY, None), ("sk-wrong", "authentication_failed")])
async def test_the_credentials_decide(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], key: str, code: str | None
) -> None:
    """One line for each thing; the key is in none."""
    async with VapiDouble() as double:
        settings = {"assistant_id": "a", "api_url": double.url}
        monkeypatch.setenv("VOICEBACKEND_PROVIDER", "vapi")
        monkeypatch.setenv("VOICEBACKEND_PROVIDER_CONFIG", json.dumps(settings))
        monkeypatch.setenv("VAPI_API_KEY", key)
        assert await check.run("vapi") is (code is None)
        assert not double.calls
        assert not double.garbled
    out = capsys.readouterr().out
    found = [json.loads(line) for line in out.splitlines()]
    assert [(one["role"], (one["error"] or {}).get("code")) for one in found] == [("provider", None), ("s2s", code)]
    assert key not in out


async def test_what_is_not_configured_says_what_to_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The setting is named."""
    monkeypatch.setenv("VOICEBACKEND_PROVIDER", "vapi")
    assert await check.run("vapi") is False
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["code"] == "invalid_config"
    assert "assistant_id" in error["message"]
    assert "correct the field" in error["advice"]
