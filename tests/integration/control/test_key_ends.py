"""A key that ends, by revocation or by its time: what it opened goes on, and it opens nothing new."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import WSMsgType

from control.access import key_store
from voicebackend.streams import Kind

START = {"type": "start", "sample_rate": 16_000}
GRACE_S = 600


async def made(api: Any, **body: Any) -> dict[str, Any]:
    """Make a key by the operator's."""
    answer = await api.send("POST", "/v1/keys", json={"name": "ci", **body})
    assert answer.status == 201, await answer.text()
    return dict(await answer.json())


async def opens(api: Any, key: str) -> int:
    """Return the status of a request with a key."""
    return int((await api.send("GET", "/v1/sessions", key=key)).status)


async def test_a_call_outlives_its_tenants_last_key_and_nothing_new_is_opened(
    api: Any, worker: Any, until: Any
) -> None:
    """Both sides are heard on; neither a session, nor a token for this one, nor another socket can be had."""
    issued = await made(api, tenant="acme", scopes=["*"])
    wanted = {"user_id": "u1", "transport": "websocket", "agent": "demo"}
    created = await (await api.send("POST", "/v1/sessions", key=issued["key"], json=wanted)).json()
    token = f"/v1/sessions/{created['id']}/token"
    assert (await api.send("POST", token, key=issued["key"])).status in {200, 201}
    async with api.media(created) as ws:
        await ws.send_json(START)
        assert (await ws.receive_json(timeout=30))["type"] == "ready"
        await until(lambda: created["id"] in worker.attachments, within_s=30)

        assert (await api.send("DELETE", f"/v1/keys/{issued['id']}?tenant=acme")).status == 204

        heard = len(worker.heard(created["id"], Kind.AUDIO_IN))
        await ws.send_bytes(bytes(640))
        await until(lambda: len(worker.heard(created["id"], Kind.AUDIO_IN)) > heard, within_s=30)
        worker.event(created["id"], {"type": "transcript", "turn": 1, "role": "agent", "text": "still here"})
        while (await ws.receive_json(timeout=30)).get("text") != "still here":
            pass
        assert await api.problem("POST", "/v1/sessions", key=issued["key"], json=wanted) == (
            401,
            "authentication_failed",
        )
        assert await api.problem("POST", token, key=issued["key"]) == (401, "authentication_failed")
        async with api.media(created) as second:  # its token is spent, and there is no other
            await second.send_json(START)
            told = await second.receive(timeout=30)
            assert told.type is WSMsgType.TEXT
            assert told.json()["code"] == "authentication_failed"
        assert not ws.closed
        await ws.send_json({"type": "stop"})


async def test_a_revoked_key_opens_nothing(api: Any) -> None:
    """From the next request on; another of the same tenant does."""
    one, two = await made(api, name="one"), await made(api, name="two")
    assert [await opens(api, key["key"]) for key in (one, two)] == [200, 200]
    assert (await api.send("DELETE", f"/v1/keys/{one['id']}")).status == 204
    assert await api.problem("GET", "/v1/sessions", key=one["key"]) == (401, "authentication_failed")
    assert await opens(api, two["key"]) == 200


async def test_the_old_one_of_two_keys_opens_until_its_time(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """And not a second longer; what takes its place goes on."""
    old = await made(api)
    new = await (await api.send("POST", f"/v1/keys/{old['id']}/rotate", json={"grace": GRACE_S})).json()
    begun, clock = time.time(), SimpleNamespace(time=time.time)
    monkeypatch.setattr(key_store, "time", clock)
    assert [await opens(api, key["key"]) for key in (old, new)] == [200, 200]
    clock.time = lambda: begun + GRACE_S - 60
    assert [await opens(api, key["key"]) for key in (old, new)] == [200, 200]
    clock.time = lambda: begun + GRACE_S + 1
    assert [await opens(api, key["key"]) for key in (old, new)] == [401, 200]
