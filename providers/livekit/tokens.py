"""What LiveKit lets in: JWTs signed with the API secret, each with the least grants. Pure, but for the clock."""

from __future__ import annotations

import time
from typing import Any

import jwt

from providers.livekit.config import Access
from voicebackend.rooms import CALLER

ADMIN_S = 30.0
"""Seconds that a token for one request to the server is good."""
AGENT_S = 60.0
"""Seconds that we may take to join; the server itself renews the token of who has joined."""
AGENT = "agent-"
"""How our identities begin."""
MICROPHONE = "microphone"
_SPEAKER = {"roomJoin": True, "canPublish": True, "canSubscribe": True, "canPublishData": True}


def agent_identity(epoch: int) -> str:
    """Return who a worker is in a room."""
    return f"{AGENT}{epoch}"


def epoch_of(identity: str) -> int | None:
    """Return under which lease an agent of ours is in a room; None for anybody else."""
    epoch = identity.removeprefix(AGENT)
    return int(epoch) if epoch != identity and epoch.isascii() and epoch.isdecimal() else None


def caller_token(access: Access, room: str, life_s: float) -> str:
    """Return what lets the caller into this room only, with a microphone."""
    grants = {**_SPEAKER, "room": room, "canPublishSources": [MICROPHONE]}
    return _signed(access, life_s, video=grants, sub=CALLER)


def agent_token(access: Access, room: str, epoch: int) -> str:
    """Return what lets a worker into this room."""
    grants = {**_SPEAKER, "room": room, "canPublishSources": [MICROPHONE]}
    return _signed(access, AGENT_S, video=grants, sub=agent_identity(epoch), kind="agent")


def admin_token(access: Access, **grants: Any) -> str:
    """Return what lets one request do this: ``roomCreate``, ``roomList``, ``roomAdmin`` of a ``room``."""
    return _signed(access, ADMIN_S, video=grants)


def _signed(access: Access, life_s: float, **claims: Any) -> str:
    now = int(time.time())
    return jwt.encode({"iss": access.key, "nbf": now, "exp": now + int(life_s), **claims}, access.secret, "HS256")
