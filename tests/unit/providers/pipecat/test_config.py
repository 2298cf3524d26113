"""Settings of ``pipecat``."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from providers.pipecat import s2s
from providers.pipecat.config import PipecatConfig
from providers.registry import PROVIDERS, S2S
from voicebackend.config import BackendConfig
from voicebackend.errors import InvalidConfig

URL = "ws://localhost:8765/ws"


def test_the_readmes_settings_are_all_there() -> None:
    """With the defaults that it promises."""
    config = PipecatConfig(pipecat_server_url=URL)
    assert config.daily_api_url == "https://api.daily.co/v1"
    assert config.room_name_prefix == "beluga-"
    assert config.room_expiration.total_seconds() == 24 * 3600


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({}, "pipecat_server_url"),
        ({"pipecat_server_url": "http://localhost/ws"}, "pipecat_server_url"),
        ({"start_url": "ws://localhost/start"}, "start_url"),
        ({"pipecat_server_url": URL, "room": "x"}, "room"),
        ({"pipecat_server_url": URL, "sample_rate": 96_000}, "sample_rate"),
    ],
)
def test_a_wrong_setting_is_named(settings: dict[str, object], field: str) -> None:
    """Before anything is opened."""
    with pytest.raises(InvalidConfig) as caught:
        PROVIDERS.create("pipecat", settings)
    assert caught.value.details["field"] == field


def test_the_provider_hands_its_settings_to_its_engine() -> None:
    """Secrets too, which are shown nowhere else."""
    settings = {"start_url": "http://localhost/start", "daily_api_key": "secret-key", "rtvi_timeout": "PT1S"}
    provider = PROVIDERS.create("pipecat", settings)
    role, (name, plain) = next(iter(provider.engines(BackendConfig(provider="pipecat")).items()))
    engine = S2S.create(name, plain)
    assert (role, name) == ("s2s", "pipecat")
    assert engine.config == provider.config
    assert "secret-key" not in f"{provider.config!r} {engine.config!r} {engine!r}"


def test_the_key_is_the_settings_or_the_environments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Daily's stands in for it, where sessions are started."""
    monkeypatch.setenv("PIPECAT_API_KEY", "from-environment")
    start = "http://localhost/start"
    assert PipecatConfig(pipecat_server_url=URL).bearer == "from-environment"
    assert PipecatConfig(pipecat_server_url=URL, daily_api_key=SecretStr("daily")).bearer == "from-environment"
    assert PipecatConfig(start_url=start, daily_api_key=SecretStr("daily")).bearer == "daily"
    assert PipecatConfig(start_url=start, daily_api_key=SecretStr("daily"), api_key=SecretStr("own")).bearer == "own"
    monkeypatch.delenv("PIPECAT_API_KEY")
    assert PipecatConfig(pipecat_server_url=URL).bearer is None


def test_a_start_carries_the_sessions_metadata_and_no_key() -> None:
    """A server may open a room beside, by what it is told."""
    config = PipecatConfig(start_url="http://localhost/start", daily_api_key=SecretStr("secret-key"))
    body = config.start_body({"plan": "gold"})
    assert body["transport"] == "websocket"
    assert body["body"]["metadata"] == {"plan": "gold"}
    assert body["body"]["daily"]["room_expiration_s"] == 86_400
    assert "secret-key" not in str(body)
    assert "daily" not in PipecatConfig(start_url="http://localhost/start").start_body({})["body"]


async def test_without_protobuf_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its module needs none to be imported."""

    def missing() -> None:
        raise ModuleNotFoundError

    monkeypatch.setattr(s2s, "frame_class", missing)
    engine = S2S.create("pipecat", {"pipecat_server_url": URL})
    with pytest.raises(InvalidConfig, match=r"voicebackend\[pipecat\]"):
        await engine.open()
