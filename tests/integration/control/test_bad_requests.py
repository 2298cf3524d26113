"""HTTP as nobody should send it, over real sockets: refused by its own status, and the next one answered."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
from typing import Any
from urllib.parse import urlsplit

import pytest

from control.http import bodies, connection

KEY = "test-key-0123456789"
GOOD = {"user_id": "u1", "transport": "websocket", "agent": "demo"}
TYPED = {"Content-Type": "application/json"}
CLOSED_S = 60.0
"""Seconds that a socket may stay open at most that says nothing: six times what is promised, for slow machines."""


def texts(value: str) -> bytes:
    """Return a session's body whose metadata hold this JSON."""
    return b'{"user_id":"u1","transport":"websocket","agent":"demo","metadata":{"x":' + value.encode() + b"}}"


async def kept(worker: Any) -> set[bytes]:
    """Return the keys in Redis, without how often was asked, which is there for some milliseconds."""
    asked = worker.keys.request_rate("", "", "").rpartition(":")[0].encode()
    return {key for key in await worker.redis.keys() if not key.startswith(asked)}


@pytest.mark.parametrize(
    ("body", "headers", "expected"),
    [
        pytest.param(b"", TYPED, (400, "invalid_config"), id="1 empty"),
        pytest.param(b"x" * (10 * 2**20 + 1), TYPED, (413, "invalid_format"), id="2 ten MiB"),
        pytest.param(b"[" * 60_000, TYPED, (400, "invalid_config"), id="3 deep"),
        pytest.param(texts("[" * 20_000 + "]" * 20_000), TYPED, (400, "invalid_config"), id="3 deep in metadata"),
        pytest.param(
            b'{"user_id":"a","user_id":"b","transport":"websocket","agent":"demo"}',
            TYPED,
            (415, "invalid_format"),
            id="4 a name twice",
        ),
        pytest.param(texts('{"a":1,"a":1}'), TYPED, (415, "invalid_format"), id="4 a name twice in metadata"),
        pytest.param(texts("NaN"), TYPED, (400, "invalid_config"), id="5 NaN"),
        pytest.param(texts("-Infinity"), TYPED, (400, "invalid_config"), id="5 Infinity"),
        pytest.param(texts("1e400"), TYPED, (400, "invalid_config"), id="6 1e400"),
        pytest.param(texts("9" * 5000), TYPED, (400, "invalid_config"), id="6 5000 digits"),
        pytest.param(texts('"\\ud800"'), TYPED, (400, "invalid_config"), id="7 half a surrogate pair"),
        pytest.param(texts("1"), {"Content-Type": "text/plain"}, (415, "invalid_format"), id="8 another type"),
        pytest.param(
            texts("1").decode().encode("utf-16"),
            {"Content-Type": "application/json; charset=utf-16"},
            (400, "invalid_config"),
            id="8 utf-16",
        ),
        pytest.param(b"\xff\xfe{}", TYPED, (400, "invalid_config"), id="8 no text"),
        pytest.param(
            gzip.compress(b" " * 50_000_000),
            {**TYPED, "Content-Encoding": "gzip"},
            (413, "invalid_format"),
            id="9 bomb",
        ),
        pytest.param(b'{"unknown":1}', TYPED, (400, "invalid_config"), id="14 unknown field"),
        pytest.param(
            json.dumps({**GOOD, "queue": {"max_wait": True}}).encode(), TYPED, (400, "invalid_config"), id="17 a bool"
        ),
        pytest.param(json.dumps({**GOOD, "user_id": 7}).encode(), TYPED, (400, "invalid_config"), id="17 a number"),
    ],
)
async def test_a_body_that_is_none_is_refused(
    api: Any, worker: Any, body: bytes, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    """By its own status, before anything is written; the server answers the next request."""
    before = await kept(worker)
    assert await api.problem("POST", "/v1/sessions", data=io.BytesIO(body), headers=headers) == expected
    assert await kept(worker) == before
    assert (await api.send("POST", "/v1/sessions", json=GOOD)).status == 201


@pytest.mark.parametrize(
    ("request_", "statuses"),
    [
        pytest.param(
            "POST /v1/sessions HTTP/1.1\r\n{h}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            {400},
            id="10 two lengths",
        ),
        pytest.param("POST /v1/sessions HTTP/1.1\r\n{h}Content-Length: -1\r\n\r\n", {400}, id="10 length -1"),
        pytest.param("GET /healthz HTTP/1.1\r\n{h}" + "X: y\r\n" * 10_000 + "\r\n", {400}, id="11 10000 headers"),
        pytest.param("GET /healthz HTTP/1.1\r\n{h}X: " + "y" * 65_536 + "\r\n\r\n", {400}, id="11 a header of 64 KB"),
        pytest.param("GET /" + "x" * 70_000 + " HTTP/1.1\r\n{h}\r\n", {400, 414}, id="11 a path of 70 KB"),
        pytest.param("TRACE /healthz HTTP/1.1\r\n{h}\r\n", {405}, id="13 TRACE"),
        pytest.param("CONNECT internal:80 HTTP/1.1\r\n{h}\r\n", {400, 404, 405}, id="13 CONNECT"),
        pytest.param(
            "GET /v1/sessions HTTP/1.1\r\n{h}X-HTTP-Method-Override: DELETE\r\nAuthorization: Bearer {key}\r\n\r\n",
            {200},
            id="13 override",
        ),
        pytest.param("GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", {400, 200}, id="11 two hosts"),
        pytest.param("\x00\x01\x02\r\n\r\n", {400}, id="10 no HTTP"),
    ],
)
async def test_a_request_that_is_none_is_refused(api: Any, request_: str, statuses: set[int]) -> None:
    """Its connection is closed or goes on in step; nobody else notices."""
    text = request_.replace("{h}", "Host: localhost\r\nConnection: close\r\n").replace("{key}", KEY)
    status, _ = await said(api, text.encode())
    assert status in statuses
    assert (await api.send("GET", "/healthz")).status == 200


async def test_two_authorizations_are_none(api: Any) -> None:
    """Which of them a proxy looked at is anybody's guess."""
    both = f"Authorization: Bearer wrong-key-0123456789\r\nAuthorization: Bearer {KEY}\r\n"
    status, _ = await said(api, f"GET /v1/sessions HTTP/1.1\r\nHost: l\r\n{both}Connection: close\r\n\r\n".encode())
    assert status in {400, 401}


@pytest.mark.parametrize(
    "begun",
    [
        pytest.param("GET /healthz HTTP/1.1\r\nHost:", id="12 header"),
        pytest.param(
            "POST /v1/sessions HTTP/1.1\r\nHost: l\r\nContent-Type: application/json\r\nContent-Length: 100\r\n"
            f"Authorization: Bearer {KEY}\r\n\r\n{{",
            id="12 body",
        ),
    ],
)
async def test_a_request_that_does_not_end_is_let_go(api: Any, monkeypatch: pytest.MonkeyPatch, begun: str) -> None:
    """Headers or a body that trickle cost a socket for some seconds only."""
    monkeypatch.setattr(bodies, "BODY_S", 1.0)
    status, _ = await said(api, begun.encode())
    assert status in {0, 400, 408}


async def test_a_connection_that_idles_is_kept_and_one_that_trickles_is_not(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy may use its connection again long after; one that does not end costs it some seconds."""
    monkeypatch.setattr(connection, "HEADERS_S", 1.0)
    url = urlsplit(api.serving.url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    whole = b"GET /healthz HTTP/1.1\r\nHost: l\r\n\r\n"
    posted = b"POST /v1/sessions HTTP/1.1\r\nHost: l\r\nContent-Length: 4\r\n\r\n"
    for request, rest, status in ((whole, b"", b"200"), (posted, b"body", b"401"), (whole, b"", b"200")):
        writer.write(request)
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), CLOSED_S)
        assert head.split(b" ", 2)[1] == status
        writer.write(rest)
        await reader.readexactly(int(head.lower().split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0]))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 2.0)
    writer.write(whole[:20])
    assert await asyncio.wait_for(reader.read(), CLOSED_S) == b""
    writer.close()


async def test_a_connection_over_which_nothing_comes_is_closed(api: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It need not begin a request to be let go."""
    monkeypatch.setattr(connection, "HEADERS_S", 0.2)
    assert await said(api, b"") == (0, b"")


async def said(api: Any, data: bytes) -> tuple[int, bytes]:
    """Send bytes on a connection of their own; return the status of what comes back, 0 for nothing, and all of it."""
    url = urlsplit(api.serving.url)
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    try:
        writer.write(data)
        answer = await asyncio.wait_for(reader.read(), CLOSED_S)
    except ConnectionError:
        answer = b""
    finally:
        writer.close()
    parts = answer.split(b" ", 2)
    return (int(parts[1]) if answer.startswith(b"HTTP/1.") else 0), answer
