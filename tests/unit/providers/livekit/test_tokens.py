"""Tokens for rooms, read by LiveKit's own package; and what their owners are called."""

from __future__ import annotations

import pytest
from livekit import api
from livekit.api.access_token import Claims

from providers.livekit.config import Access
from providers.livekit.tokens import admin_token, agent_identity, agent_token, caller_token, epoch_of

ACCESS = Access(url="wss://livekit.example.com", key="key", secret="a-secret-that-is-long-enough-for-hs256")


def claims(token: str) -> Claims:
    """Return what LiveKit's own package reads in a token."""
    return api.TokenVerifier(ACCESS.key, ACCESS.secret).verify(token)


def test_a_caller_may_enter_one_room_and_speak() -> None:
    """Nothing but that room, a microphone and messages."""
    found = claims(caller_token(ACCESS, "room-1", 600))
    assert found.identity == "caller"
    assert found.video is not None
    assert (found.video.room, found.video.room_join, found.video.can_publish_sources) == (
        "room-1",
        True,
        ["microphone"],
    )
    more = (found.video.room_admin, found.video.room_create, found.video.room_list, found.video.hidden)
    assert not any(more)


def test_an_agent_is_told_by_its_epoch() -> None:
    """It has the caller's grants, and the kind of an agent."""
    found = claims(agent_token(ACCESS, "room-1", 17))
    assert (found.identity, found.kind) == ("agent-17", "agent")
    assert found.video is not None
    assert (found.video.room, found.video.can_publish) == ("room-1", True)
    assert not found.video.room_admin


def test_a_request_has_its_own_grants_only() -> None:
    """A token of one request joins no room."""
    found = claims(admin_token(ACCESS, roomCreate=True))
    assert found.video is not None
    assert (found.video.room_create, found.video.room_join, found.video.room_admin) == (True, None, None)


@pytest.mark.parametrize(
    ("identity", "epoch"),
    [(agent_identity(5), 5), ("agent-", None), ("agent-x", None), ("agent-²", None), ("caller", None), ("5", None)],
)
def test_agents_of_ours_are_known_by_their_names(identity: str, epoch: int | None) -> None:
    """Whoever is called otherwise is none."""
    assert epoch_of(identity) == epoch


def test_no_secret_is_shown() -> None:
    """What is logged of an access has no secret in it."""
    assert ACCESS.secret not in repr(ACCESS)


@pytest.mark.parametrize(
    ("url", "http", "ws"),
    [
        ("wss://a.example", "https://a.example", "wss://a.example"),
        ("ws://a.example:7880/x", "http://a.example:7880/x", "ws://a.example:7880/x"),
        ("https://a.example", "https://a.example", "wss://a.example"),
        ("http://a.example", "http://a.example", "ws://a.example"),
    ],
)
def test_either_scheme_is_taken(url: str, http: str, ws: str) -> None:
    """The server API is asked by HTTP, rooms are joined by websocket."""
    access = Access(url=url, key="k", secret="s")
    assert (access.http_url, access.ws_url) == (http, ws)
