"""Callers that break the protocol: each is told why, closed with the right code, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import jwt
import pytest
from redis.asyncio import Redis

from control.service import serve
from voicebackend.config import BackendConfig
from voicebackend.settings import Deployment
from voicebackend.streams import Kind

START = {"type": "start", "sample_rate": 16_000}


async def refusal(ws: Any) -> tuple[str, int]:
    """Return the code of the error that comes, and the close code."""
    codes = []
    async with asyncio.timeout(9):
        async for message in ws:
            said = json.loads(message.data) if message.type is aiohttp.WSMsgType.TEXT else {}
            codes += [said["code"]] if said.get("type") == "error" else []
    return (codes or [""])[-1], int(ws.close_code)


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        pytest.param(b"\x00\x00", ("invalid_format", 4415), id="audio before start"),
        pytest.param("hello", ("invalid_format", 4415), id="text that is no JSON"),
        pytest.param({"type": "played", "turn": 1, "ms": 3}, ("invalid_format", 4415), id="text where start is due"),
        pytest.param({"type": "start", "sample_rate": 0}, ("invalid_format", 4415), id="sample rate 0"),
        pytest.param({"type": "start", "sample_rate": 96_000}, ("invalid_format", 4415), id="sample rate too high"),
        pytest.param({"type": "start"}, ("invalid_format", 4415), id="start without a rate"),
        pytest.param({"type": "start", "sample_rate": 16_000, "x": 1}, ("invalid_format", 4415), id="unknown field"),
        pytest.param({"type": "dance"}, ("invalid_format", 4415), id="unknown type"),
        pytest.param(
            '{"type":"start","sample_rate":8000,"sample_rate":16000}', ("invalid_format", 4415), id="a name twice"
        ),
        pytest.param("x" * 9000, ("invalid_format", 4415), id="long text"),
    ],
)
async def test_a_wrong_first_message_is_refused(
    api: Any, worker: Any, redis: Redis, first: Any, expected: tuple[str, int]
) -> None:
    """The session goes on, its token stays good, no key was written, the worker heard nothing."""
    created = await api.create()
    before = set(await redis.keys())
    async with api.media(created) as ws:
        await (ws.send_bytes(first) if isinstance(first, bytes) else ws.send_str(_text(first)))
        assert await refusal(ws) == expected
    assert set(await redis.keys()) == before
    assert [frame.kind for frame in worker.frames] == [Kind.START]
    async with api.media(created) as ws:
        await ws.send_json(START)
        assert (await ws.receive_json(timeout=5))["type"] == "ready"


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        pytest.param(b"\x00" * 641, ("invalid_format", 4415), id="odd byte count"),
        pytest.param(b"\x00" * 6402, ("invalid_format", 4413), id="longer than 200 ms"),
        pytest.param(b"\x00" * 70_000, ("invalid_format", 4413), id="larger than 64 KiB"),
        pytest.param(b"\x00" * 1_100_000, ("", 1009), id="too large to read"),
        pytest.param(START, ("invalid_format", 4415), id="second start"),
        pytest.param({"type": "dtmf", "digit": "x"}, ("invalid_format", 4415), id="no key"),
        pytest.param({"type": "played", "turn": -1, "ms": 3}, ("invalid_format", 4415), id="no turn"),
    ],
)
async def test_a_wrong_message_in_a_call_ends_the_socket_and_not_the_session(
    api: Any, worker: Any, until: Any, message: Any, expected: tuple[str, int]
) -> None:
    """The worker hears that the caller is gone and may come back."""
    created = await api.create()
    async with api.media(created) as ws:
        await ws.send_json(START)
        assert (await ws.receive_json(timeout=5))["type"] == "ready"
        await (ws.send_bytes(message) if isinstance(message, bytes) else ws.send_str(_text(message)))
        assert await refusal(ws) == expected
    await until(lambda: [f.json()["stopped"] for f in worker.heard(created["id"], Kind.DETACH)] == [False])


def forged(session: str, **changes: Any) -> str:
    """Return a token that is good but for the changes."""
    import time

    now = int(time.time())
    claims = {"aud": "media", "sub": session, "tenant": "default", "jti": "j1", "iat": now, "exp": now + 60, **changes}
    secret = "test-secret-of-at-least-32-bytes-long"
    return jwt.encode({name: value for name, value in claims.items() if value is not None}, secret, "HS256")


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(lambda s: "", id="missing"),
        pytest.param(lambda s: "nonsense", id="garbage"),
        pytest.param(lambda s: forged("f" * 32), id="of another session"),
        pytest.param(lambda s: forged(s, aud="resume"), id="of another audience"),
        pytest.param(lambda s: forged(s, iat=1000, exp=1060), id="expired"),
        pytest.param(lambda s: forged(s, jti=None), id="without an id"),
    ],
)
async def test_a_bad_token_opens_nothing(api: Any, worker: Any, redis: Redis, token: Any) -> None:
    """4401, and nothing is written or told."""
    created = await api.create()
    before = set(await redis.keys())
    async with api.media(created, token=token(created["id"])) as ws:
        if not token(created["id"]):
            await ws.send_json(START)
        assert await refusal(ws) == ("authentication_failed", 4401)
    assert set(await redis.keys()) == before
    assert [frame.kind for frame in worker.frames] == [Kind.START]


async def test_a_token_opens_one_socket_only(api: Any) -> None:
    """Replayed, it is refused, and the first socket stays."""
    created = await api.create()
    async with api.media(created) as first, api.media(created) as second:
        await first.send_json(START)
        assert (await first.receive_json(timeout=5))["type"] == "ready"
        await second.send_json(START)
        assert await refusal(second) == ("authentication_failed", 4401)
        await first.send_bytes(bytes(640))
        assert (await first.receive_json(timeout=5))["type"] == "state"


async def test_a_token_as_the_first_message_opens_too(api: Any) -> None:
    """For clients that cannot choose sub-protocols."""
    created = await api.create()
    async with api.http.ws_connect(created["connect_url"]) as ws:
        await ws.send_json({"type": "auth", "token": created["token"]})
        await ws.send_json(START)
        assert (await ws.receive_json(timeout=5))["type"] == "ready"


async def test_a_token_of_a_tenant_without_the_session_finds_nothing(api: Any) -> None:
    """Signed by us, for another tenant: the session looks missing."""
    created = await api.create()
    async with api.media(created, token=forged(created["id"], tenant="other")) as ws:
        await ws.send_json(START)
        assert await refusal(ws) == ("session_not_found", 4404)


async def test_an_ended_session_takes_no_caller(api: Any, worker: Any) -> None:
    """4404, at once."""
    created = await api.create()
    await worker.end(created["id"], "closed")
    async with api.media(created) as ws:
        assert await refusal(ws) == ("session_not_active", 4404)


@pytest.mark.parametrize("reports", [True, False], ids=["in the record", "in the log alone"])
async def test_a_session_that_failed_tells_why(api: Any, worker: Any, reports: bool) -> None:
    """The reason on its record, or before that in its log, is the error."""
    worker.places, worker.reports = False, reports
    created = await api.create()
    async with api.media(created) as ws:
        await ws.send_json(START)
        worker.fails_with = "session_limit_exceeded"
        await worker.start(created["id"])
        assert await refusal(ws) == ("session_limit_exceeded", 4503)


async def test_a_caller_that_says_nothing_is_let_go(api: Any) -> None:
    """Start is due within 5 s."""
    created = await api.create()
    async with api.media(created) as ws:
        assert await refusal(ws) == ("timeout", 4408)


async def test_a_worker_that_does_not_answer_is_an_error_inside(api: Any, worker: Any, until: Any) -> None:
    """After 5 s the caller hears so."""
    worker.answers = False
    created = await api.create()
    async with api.media(created) as ws:
        await ws.send_json(START)
        assert await refusal(ws) == ("connection_timeout", 1011)
    await until(lambda: len(worker.heard(created["id"], Kind.DETACH)) == 1)


async def test_foreign_sub_protocols_are_refused_without_a_word_in_the_log(
    api: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The token among them must not be logged."""
    caplog.set_level(logging.DEBUG)
    created = await api.create()
    with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
        await api.http.ws_connect(created["connect_url"], protocols=(f"token.{created['token']}",))
    assert caught.value.status == 400
    assert created["token"] not in caplog.text


async def test_a_plain_request_to_the_socket_is_a_problem(api: Any) -> None:
    """Without an upgrade it is a bad request."""
    created = await api.create()
    assert await api.problem("GET", f"/v1/sessions/{created['id']}/media") == (400, "invalid_config")


async def test_the_end_of_the_process_lets_callers_go_and_leaves_no_inbox(
    deployment: Deployment, config: BackendConfig, worker: Any, redis: Redis, until: Any
) -> None:
    """1001 for those in a call and those on the way in; the sessions go on; the inbox is gone."""
    async with AsyncExitStack() as clients:
        http = await clients.enter_async_context(aiohttp.ClientSession())
        async with serve(config, deployment, publisher=worker) as serving:
            headers = {"Authorization": f"Bearer {serving.api_key}"}
            body = {"user_id": "u", "transport": "websocket", "agent": "a"}
            created = await (await http.post(f"{serving.url}/v1/sessions", json=body, headers=headers)).json()
            another = await http.post(f"{serving.url}/v1/sessions/{created['id']}/token", headers=headers)
            tokens = created["token"], (await another.json())["token"]  # the first's may be spent before the other's
            calling, greeting = [
                await http.ws_connect(created["connect_url"], protocols=("voicebackend.v1", f"token.{token}"))
                for token in tokens
            ]
            await calling.send_json(START)
            assert (await calling.receive_json(timeout=5))["type"] == "ready"
            leaving = [asyncio.create_task(refusal(ws)) for ws in (calling, greeting)]
            await asyncio.sleep(0)
        assert [code for _, code in await asyncio.gather(*leaving)] == [1001, 1001]
    await until(lambda: [f.json()["stopped"] for f in worker.heard(created["id"], Kind.DETACH)] == [False])
    assert await redis.keys("vb:inbox:*") == []
    assert (await worker.store.get(created["id"])).state == "ready"
