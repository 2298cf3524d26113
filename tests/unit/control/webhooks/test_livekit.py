"""LiveKit's webhooks: signed as LiveKit's own package signs them, understood, and refused if anything is wrong."""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
from typing import Any

import jwt
import pytest
from livekit import api

from control.webhooks.livekit import Credentials, RoomEvent, verified
from voicebackend import BackendConfig
from voicebackend.errors import AuthenticationFailed, InvalidConfig, InvalidFormat

KEY, SECRET = "key", "a-secret-that-is-long-enough-for-hs256"
CREDENTIALS = Credentials(key=KEY, secret=SECRET)
LEFT: dict[str, Any] = {
    "id": "EV_1",
    "event": "participant_left",
    "room": {"name": "room-1", "sid": "RM_1"},
    "participant": {"identity": "caller", "disconnectReason": "CLIENT_INITIATED"},
    "createdAt": "1795400133",
}


def signed(body: bytes, *, key: str = KEY, secret: str = SECRET, minutes: float = 5) -> str:
    """Return the header with which LiveKit sends a body."""
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    life = datetime.timedelta(minutes=minutes)
    return api.AccessToken(key, secret).with_sha256(digest).with_ttl(life).to_jwt()


def body(**changes: Any) -> bytes:
    """Return an event's body."""
    return json.dumps({**LEFT, **changes}).encode()


def test_an_event_signed_by_livekits_own_package_is_understood() -> None:
    """Kind, room, participant and reason are read; its own receiver takes it too."""
    sent = body()
    event = verified(sent, signed(sent), CREDENTIALS)
    assert event == RoomEvent(
        id="EV_1", kind="participant_left", room="room-1", identity="caller", reason="CLIENT_INITIATED"
    )
    told = api.WebhookReceiver(api.TokenVerifier(KEY, SECRET)).receive(sent.decode(), signed(sent))
    assert (told.event, told.room.name) == (event.kind, event.room)


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ("", "missing"),
        ("nonsense", "no token"),
        (signed(body(), key="other"), "another issuer"),
        (signed(body(), secret="another-secret-that-is-long-enough-too"), "another secret"),
        (signed(body(id="EV_2")), "another body"),
        (signed(body(), minutes=-2), "too old"),
        (api.AccessToken(KEY, SECRET).to_jwt(), "no hash"),
        (jwt.encode({"iss": KEY}, SECRET, "HS256"), "no end"),
        (jwt.encode({"iss": KEY, "exp": 2**40}, "", "none"), "not signed"),
    ],
    ids=lambda value: value if len(value) < 20 else "",
)
def test_whatever_is_wrong_with_a_signature_is_refused(header: str, why: str) -> None:
    """The answer is ``authentication_failed``, and does not show the secret."""
    with pytest.raises(AuthenticationFailed) as caught:
        verified(body(), header, CREDENTIALS)
    assert SECRET not in str(caught.value), why


def test_clocks_may_differ_by_a_minute() -> None:
    """A token that has just run out is good."""
    assert verified(body(), signed(body(), minutes=-0.5), CREDENTIALS).id == "EV_1"


TWICE = body().replace(b"{", b'{"id":"EV_2",', 1)
"""An event whose id stands twice."""


@pytest.mark.parametrize("sent", [b"", b"[]", b"{}", b'{"id":"1"}', b"\xff", b"[" * 5000, TWICE], ids=repr)
def test_what_is_no_event_is_refused(sent: bytes) -> None:
    """A body that is signed and makes no sense is ``invalid_format``."""
    with pytest.raises(InvalidFormat):
        verified(sent, signed(sent), CREDENTIALS)


@pytest.mark.parametrize(
    ("kind", "identity", "reason", "ends"),
    [
        ("room_finished", "", "", "closed"),
        ("participant_left", "caller", "CLIENT_INITIATED", "hangup"),
        ("participant_left", "caller", "PARTICIPANT_REMOVED", "hangup"),
        ("participant_left", "caller", "CONNECTION_TIMEOUT", ""),
        ("participant_left", "caller", "DUPLICATE_IDENTITY", ""),
        ("participant_left", "agent-12", "CLIENT_INITIATED", ""),
        ("participant_left", "supervisor", "CLIENT_INITIATED", ""),
        ("participant_left", "EG_recorder", "ROOM_DELETED", ""),
        ("participant_left", "sip_+15550100", "CLIENT_INITIATED", ""),
        ("participant_left", "", "CLIENT_INITIATED", ""),
        ("participant_joined", "caller", "", ""),
        ("track_published", "caller", "", ""),
    ],
)
def test_only_the_end_of_a_room_or_a_callers_own_leaving_ends_a_session(
    kind: str, identity: str, reason: str, ends: str
) -> None:
    """Workers and others come and go, and a caller whose line broke may come back."""
    assert RoomEvent(id="1", kind=kind, room="r", identity=identity, reason=reason).ends == ends


def test_credentials_come_from_the_provider_or_the_environment() -> None:
    """Another provider's settings are none of LiveKit's."""
    settings = {"api_key": "k", "api_secret": "s", "room_name": "call-{session_id}"}
    config = BackendConfig(provider="livekit", provider_config=settings, stt_provider="mock", tts_provider="mock")
    found = Credentials.of(config, {})
    assert (found.key, found.secret, found.room_name) == ("k", "s", "call-{session_id}")
    environ = {"LIVEKIT_API_KEY": "ek", "LIVEKIT_API_SECRET": "es"}
    other = Credentials.of(BackendConfig(provider="mock", provider_config=settings), environ)
    assert (other.key, other.secret, other.room_name) == ("ek", "es", "room-{session_id}")
    assert "secret" not in repr(other)


@pytest.mark.parametrize(("environ", "field"), [({}, "api_key"), ({"LIVEKIT_API_KEY": "k"}, "api_secret")])
def test_missing_credentials_are_named(environ: dict[str, str], field: str) -> None:
    """Nothing can be proven without them."""
    with pytest.raises(InvalidConfig) as caught:
        Credentials.of(BackendConfig(provider="mock"), environ)
    assert caught.value.details["field"] == field
