"""Sessions by WebRTC over the HTTP API: how their callers join, and what LiveKit's webhooks do to them."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

import pytest
from livekit import api as livekit

KEY, SECRET = "key", "a-secret-that-is-long-enough-for-hs256"
JOIN = {"url": "wss://livekit.example.com", "token": "the-callers-token"}


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let control know the server's key."""
    monkeypatch.setenv("LIVEKIT_API_KEY", KEY)
    monkeypatch.setenv("LIVEKIT_API_SECRET", SECRET)


@pytest.fixture
async def session(api: Any, worker: Any, redis: Any) -> dict[str, Any]:
    """Give a session whose worker has opened its room."""
    place = worker.place

    async def invite(session: str) -> None:
        await redis.set(worker.keys.session_join(session), json.dumps(JOIN), ex=60)
        await place(session)

    worker.place = invite
    return dict(await api.create(transport="webrtc", provider="rooms"))


def body(session: str, **changes: Any) -> bytes:
    """Return the event that the caller has hung up."""
    told = {
        "id": "EV_1",
        "event": "participant_left",
        "room": {"name": f"room-{session}"},
        "participant": {"identity": "caller", "disconnectReason": "CLIENT_INITIATED"},
    }
    return json.dumps({**told, **changes}).encode()


async def tell(api: Any, sent: bytes, *, secret: str = SECRET) -> int:
    """Send an event as LiveKit does, and return the status."""
    digest = base64.b64encode(hashlib.sha256(sent).digest()).decode()
    header = livekit.AccessToken(KEY, secret).with_sha256(digest).to_jwt()
    headers = {"Authorization": header, "Content-Type": "application/webhook+json"}
    return int((await api.send("POST", "/v1/webhooks/livekit", key=None, headers=headers, data=sent)).status)


async def test_the_owner_is_told_how_the_caller_joins(api: Any, session: dict[str, Any]) -> None:
    """With the creation's answer, and whenever the session is read; a list, and another tenant, is told nothing."""
    assert session["join"] == JOIN
    read = await api.send("GET", f"/v1/sessions/{session['id']}")
    assert (await read.json())["join"] == JOIN
    listed = await (await api.send("GET", "/v1/sessions")).json()
    assert [one["join"] for one in listed["sessions"]] == [None]
    other = await api.send("GET", f"/v1/sessions/{session['id']}", key="other-key-0123456789")
    assert other.status in {401, 404}
    assert JOIN["token"] not in await other.text()


@pytest.mark.parametrize(("scope", "join"), [("sessions:read", None), ("sessions:write", JOIN)])
async def test_who_may_only_read_joins_no_call(api: Any, session: dict[str, Any], scope: str, join: Any) -> None:
    """A dashboard's key sees the session, without a way into its room."""
    made = await (await api.send("POST", "/v1/keys", json={"name": "board", "scopes": [scope]})).json()
    read = await api.send("GET", f"/v1/sessions/{session['id']}", key=made["key"])
    assert read.status == 200
    assert (await read.json())["join"] == join


async def test_nobody_joins_a_session_that_is_over(api: Any, worker: Any, session: dict[str, Any]) -> None:
    """Though the token may still be there."""
    await worker.end(session["id"], "closed")
    read = await api.send("GET", f"/v1/sessions/{session['id']}")
    assert (await read.json())["join"] is None


async def test_a_caller_by_websocket_joins_no_room(api: Any) -> None:
    """There is none."""
    assert (await api.create())["join"] is None


async def test_a_provider_without_rooms_cannot_do_webrtc(api: Any) -> None:
    """Nor can one with rooms do anything else."""
    wanted = {"user_id": "u1", "agent": "demo"}
    for changes in ({"transport": "webrtc"}, {"transport": "websocket", "provider": "rooms"}):
        assert await api.problem("POST", "/v1/sessions", json={**wanted, **changes}) == (400, "invalid_config")


async def test_a_hang_up_ends_the_session_once(api: Any, worker: Any, session: dict[str, Any]) -> None:
    """The same event told again is taken, and does nothing."""
    for _ in range(3):
        assert await tell(api, body(session["id"])) == 200
    assert worker.published == [("sessions.close", {"session_id": session["id"], "reason": "hangup"})]


@pytest.mark.parametrize(
    "changes",
    [
        {"event": "participant_joined"},
        {"participant": {"identity": "agent-1", "disconnectReason": "CLIENT_INITIATED"}},
        {"participant": {"identity": "supervisor", "disconnectReason": "CLIENT_INITIATED"}},
        {"participant": {"identity": "caller", "disconnectReason": "CONNECTION_TIMEOUT"}},
        {"room": {"name": "another-applications-room"}},
        {"room": {"name": "room-ffffffffffffffffffffffffffffffff"}},
    ],
)
async def test_what_means_nothing_to_us_is_taken(
    api: Any, worker: Any, session: dict[str, Any], changes: dict[str, Any]
) -> None:
    """200, so that it is not sent again; the session goes on."""
    assert await tell(api, body(session["id"], **changes)) == 200
    assert worker.published == []


async def test_a_room_of_a_session_by_websocket_is_none(api: Any, worker: Any) -> None:
    """A name is easily made up."""
    created = await api.create()
    assert await tell(api, body(created["id"], event="room_finished")) == 200
    assert worker.published == []


async def test_what_is_not_signed_does_nothing(api: Any, worker: Any, session: dict[str, Any]) -> None:
    """401, without a word about why."""
    assert await tell(api, body(session["id"]), secret="another-secret-that-is-long-enough-too") == 401
    assert await api.problem("POST", "/v1/webhooks/livekit", key=None, data=b"{}") == (401, "authentication_failed")
    assert worker.published == []


async def test_an_event_that_could_not_be_acted_on_may_come_again(
    api: Any, worker: Any, session: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not remembered as done."""
    publish = worker.publish

    async def fails(*_: object, **__: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(worker, "publish", fails)
    assert await tell(api, body(session["id"])) == 500
    monkeypatch.setattr(worker, "publish", publish)
    assert await tell(api, body(session["id"])) == 200
    assert len(worker.published) == 1
