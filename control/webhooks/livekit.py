"""LiveKit's webhooks: a JSON body, and a JWT signed with the API secret that carries the body's hash."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import jwt

from voicebackend.config import BackendConfig
from voicebackend.errors import AuthenticationFailed, InvalidConfig, InvalidFormat
from voicebackend.rooms import CALLER, ROOM_NAME
from voicebackend.strict_json import read_json

OP = "livekit_webhook"
PROVIDER = "livekit"
LEEWAY_S = 60
"""Seconds by which clocks may differ."""
_GONE_FOR_GOOD = frozenset({"CLIENT_INITIATED", "USER_REJECTED", "PARTICIPANT_REMOVED", "ROOM_DELETED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What proves that an event is of our server, and how its rooms are called."""

    key: str
    secret: str = field(repr=False)
    room_name: str = ROOM_NAME

    @classmethod
    def of(cls, config: BackendConfig, environ: Mapping[str, str] = os.environ) -> Self:
        """Return those of the configured provider, or else of the environment.

        Raises:
            InvalidConfig: they are in neither.

        """
        settings = config.provider_config if config.provider == PROVIDER else {}
        key = str(settings.get("api_key") or environ.get("LIVEKIT_API_KEY", ""))
        secret = str(settings.get("api_secret") or environ.get("LIVEKIT_API_SECRET", ""))
        if not key or not secret:
            message = "set LIVEKIT_API_KEY and LIVEKIT_API_SECRET in control's environment, or provider livekit"
            raise InvalidConfig(OP, message, details={"field": "api_secret" if key else "api_key"})
        return cls(key=key, secret=secret, room_name=str(settings.get("room_name", ROOM_NAME)))


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomEvent:
    """Something that happened in a room."""

    id: str
    kind: str
    room: str
    identity: str = ""
    """Of the participant that it is about."""
    reason: str = ""
    """Why a participant left."""

    @property
    def ends(self) -> str:
        """Why the room's session is over by it; empty if it is not.

        Others than the caller of our invitation come and go: recorders, supervisors, SIP. Where one of them is whom the
        worker listens to, the worker hears of the leaving itself.
        """
        if self.kind == "room_finished":
            return "closed"
        caller_left = self.kind == "participant_left" and self.identity == CALLER
        return "hangup" if caller_left and self.reason in _GONE_FOR_GOOD else ""


def verified(body: bytes, authorization: str, credentials: Credentials) -> RoomEvent:
    """Return the event, if it is our server's.

    Raises:
        AuthenticationFailed: the signature is missing, not good, too old, or of another body.
        InvalidFormat: it is no event.

    """
    try:
        claims: dict[str, Any] = jwt.decode(
            authorization.removeprefix("Bearer "),
            credentials.secret,
            algorithms=["HS256"],
            issuer=credentials.key,
            leeway=LEEWAY_S,
            options={"require": ["exp", "iss"]},
        )
    except (jwt.InvalidTokenError, ValueError) as error:
        raise AuthenticationFailed(OP, "the signature is not good") from error
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    if not hmac.compare_digest(str(claims.get("sha256", "")).encode(), digest.encode()):
        raise AuthenticationFailed(OP, "the signature is of another body")
    return _read(body)


def _read(body: bytes) -> RoomEvent:
    try:
        told = read_json(body, op=OP)
        room, participant = told.get("room") or {}, told.get("participant") or {}
        return RoomEvent(
            id=str(told["id"]),
            kind=str(told["event"]),
            room=str(room.get("name", "")),
            identity=str(participant.get("identity", "")),
            reason=str(participant.get("disconnectReason", "")),
        )
    except (ValueError, KeyError, AttributeError, RecursionError) as error:
        raise InvalidFormat(OP, "the body is no event of LiveKit") from error
