"""Configuration over HTTP: secrets stay inside, code stays out, what is left out stays."""

from __future__ import annotations

from typing import Any

import pytest
from fakeredis import FakeAsyncRedis

from control.live_config import MASK, LiveConfig, changed, masked, plain
from voicebackend.config import BackendConfig
from voicebackend.errors import InvalidConfig
from voicebackend.keys import Keys

CONFIG = BackendConfig(
    provider="livekit", provider_config={"api_key": "k", "nested": {"apiSecret": "s", "room": "r"}, "tries": 3}
)


def test_secrets_are_masked_by_the_names_of_their_fields() -> None:
    """Nested ones too; numbers and rooms are not."""
    shown = masked(plain(CONFIG))["provider_config"]
    assert shown == {"api_key": MASK, "nested": {"apiSecret": MASK, "room": "r"}, "tries": 3}


def test_a_mask_sent_back_keeps_the_secret() -> None:
    """So that what was read can be written."""
    assert changed(CONFIG, masked(plain(CONFIG))) == CONFIG


@pytest.mark.parametrize(
    "settings",
    [
        {"api_key": MASK, "nested": {"apiSecret": MASK, "room": "mine"}, "tries": 3},
        {"api_key": MASK, "nested": {"apiSecret": MASK, "room": "r"}, "tries": 3, "url": "wss://elsewhere"},
        {"api_key": MASK, "nested": {"apiSecret": "new", "room": "r"}, "tries": 3},
        {"api_key": MASK},
        {"tries": MASK},
    ],
    ids=["changed", "added", "one of two", "removed", "no secret"],
)
def test_a_mask_is_refused_when_other_settings_change_with_it(settings: dict[str, Any]) -> None:
    """Else a new address would be told the secret."""
    with pytest.raises(InvalidConfig) as caught:
        changed(CONFIG, {"provider_config": settings})
    assert caught.value.details == {"field": "provider_config"}


def test_settings_of_engines_are_masked_and_kept_like_the_providers() -> None:
    """They hold keys, too."""
    config = CONFIG.with_engine_settings({"stt/openai": {"api_key": "k"}})
    shown = masked(plain(config))
    assert shown["engine_settings"] == {"stt/openai": {"api_key": MASK}}
    assert changed(config, shown) == config
    with pytest.raises(InvalidConfig) as caught:
        changed(config, {"engine_settings": {"stt/openai": {"api_key": MASK, "api_url": "https://elsewhere"}}})
    assert caught.value.details == {"field": "engine_settings"}


def test_secrets_in_lists_are_kept_too() -> None:
    """Masked one by one, put back together."""
    config = CONFIG.with_provider_config({"tokens": ["a", "b"]})
    assert changed(config, masked(plain(config))) == config


def test_fields_left_out_stay_and_durations_are_read() -> None:
    """A change is only what it says."""
    after = changed(CONFIG, {"timeout": "PT5S", "latency_target": 0.4})
    assert (after.timeout.total_seconds(), after.latency_target_s, after.provider) == (5, 0.4, "livekit")


def test_hooks_are_set_at_the_start_only() -> None:
    """The same name again is no change; another is refused; objects never show."""
    config = CONFIG.with_auth_hook("mine:hook").with_rate_limiter(object()).with_custom_processors(("mine:denoise",))
    assert plain(config)["auth_hook"] == "mine:hook"
    assert "rate_limiter" not in plain(config)
    assert changed(config, plain(config)) == config
    with pytest.raises(InvalidConfig) as caught:
        changed(config, {"auth_hook": "theirs:hook"})
    assert caught.value.details == {"field": "auth_hook"}


async def test_versions_only_grow_even_when_the_last_change_has_expired() -> None:
    """So that a process that knew the old one takes the new one over."""
    async with FakeAsyncRedis(version=(6, 2)) as redis:
        live = LiveConfig(redis, Keys(), CONFIG)
        await live.update({"max_retries": 4})
        first = live.version
        await redis.delete(Keys().config())
        await live.update({"max_retries": 5})
        assert live.version > first
        other = LiveConfig(redis, Keys(), CONFIG)
        assert await other.refresh()
        assert (other.current.max_retries, other.version) == (5, live.version)
        assert 0 < await redis.ttl(Keys().config()) <= 60
