"""The provider itself: credentials, engines and rooms, without a server."""

from __future__ import annotations

import subprocess
import sys

import pytest

from providers.livekit.provider import LiveKitProvider
from providers.registry import PROVIDERS
from voicebackend import BackendConfig
from voicebackend.errors import InvalidConfig
from voicebackend.interfaces import Place

SETTINGS = {"url": "wss://livekit.example.com", "api_key": "k", "api_secret": "not-told-to-anybody-who-reads-this"}
VARIABLES = ("LIVEKIT_URL", "LIVEKIT_API_KEY", "LIVEKIT_API_SECRET")
SESSION = "0123456789abcdef0123456789abcdef"


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave this machine's own credentials out."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("missing", "variable"), [("url", VARIABLES[0]), ("api_key", VARIABLES[1]), ("api_secret", VARIABLES[2])]
)
async def test_what_is_missing_is_named(missing: str, variable: str) -> None:
    """Setting and variable both, before anything is reached."""
    provider = PROVIDERS.create("livekit", {name: value for name, value in SETTINGS.items() if name != missing})
    with pytest.raises(InvalidConfig, match=variable) as caught:
        await provider.open()
    assert caught.value.details["field"] == missing


async def test_the_environment_fills_in_what_is_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """A config with a key only takes the rest from there."""
    monkeypatch.setenv("LIVEKIT_URL", "wss://other.example.com")
    monkeypatch.setenv("LIVEKIT_API_SECRET", "x" * 32)
    provider = PROVIDERS.create("livekit", {"api_key": "k"})
    await provider.open()
    room = provider.room(Place(session=SESSION, epoch=1))
    assert room is not None
    assert room.invitation().url == "wss://other.example.com"
    await provider.aclose()


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"room_name": "all-in-one"}, "room_name"),
        ({"room_name": "{session_id}{session_id}"}, "room_name"),
        ({"join_within": 1}, "join_within"),
        ({"rooms": 1}, "rooms"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, object], field: str) -> None:
    """The error says which."""
    with pytest.raises(InvalidConfig) as caught:
        PROVIDERS.create("livekit", {**SETTINGS, **settings})
    assert caught.value.details["field"] == field


async def test_an_invitation_is_shown_to_its_owner_only() -> None:
    """Neither the token nor the secret is in what is logged."""
    provider = PROVIDERS.create("livekit", SETTINGS)
    await provider.open()
    room = provider.room(Place(session=SESSION, epoch=1))
    assert room is not None
    invitation = room.invitation()
    assert invitation.expires_in == 600
    assert invitation.token not in f"{invitation!r} {room!r} {provider!r}"
    assert SETTINGS["api_secret"] not in f"{invitation!r} {room!r} {provider.config!r}"
    await provider.aclose()


def test_engines_are_those_of_the_config_and_listen_by_default() -> None:
    """Each is told its own settings."""
    provider = PROVIDERS.create("livekit", {**SETTINGS, "stt": {"decode": True}})
    config = BackendConfig(provider="livekit", stt_provider="mock", tts_provider="hibari", s2s_provider="mock")
    found = provider.engines(config)
    assert found["stt"] == ("mock", {"decode": True})
    assert {role: name for role, (name, _) in found.items()} == {
        "stt": "mock",
        "tts": "hibari",
        "s2s": "mock",
        "vad": "silero",
        "turn": "dangling",
        "noise": "webrtc",
    }


async def test_a_room_needs_an_open_provider() -> None:
    """Before that there is no server to be reached."""
    with pytest.raises(InvalidConfig):
        LiveKitProvider().room(Place(session=SESSION, epoch=1))


def test_the_sdk_is_not_loaded_before_a_room_is_joined() -> None:
    """It starts threads, which a fork would lose."""
    code = "import sys; from providers.livekit.provider import LiveKitProvider; print('livekit' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "False"
