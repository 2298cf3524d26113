"""Websocket frames as no client sends them: the socket is closed, its session goes on, nobody else notices."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import zlib
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
from gateway_calls import START, a_call, next_text

from voicebackend.streams import Kind

WITHIN_S = 60.0
_TEXT, _BINARY, _PING, _CONTINUED = 1, 2, 9, 0
_LAST, _COMPRESSED = 0x80, 0x40


@dataclass(frozen=True, slots=True)
class RawSocket:
    """A websocket of our own, byte by byte."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, kind: int, payload: bytes, flags: int = _LAST) -> None:
        """Write a frame."""
        size = len(payload)
        if size < 126:
            length = bytes([0x80 | size])
        else:
            length = b"\xfe" + struct.pack("!H", size) if size < 65_536 else b"\xff" + struct.pack("!Q", size)
        mask = os.urandom(4)
        self.writer.write(bytes([flags | kind]) + length + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload)))

    async def closed(self) -> bytes:
        """Return all that comes until the other side closes."""
        received = b""
        async with asyncio.timeout(WITHIN_S):
            try:
                while piece := await self.reader.read(65_536):
                    received = (received + piece)[-10_000:]
            except ConnectionError:
                pass
        return received


@asynccontextmanager
async def opened(
    api: Any, created: dict[str, Any], *, headers: str = "", token: str | None = None
) -> AsyncIterator[RawSocket]:
    """Open a session's socket, with its token, and without any library."""
    url = urlsplit(created["connect_url"])
    reader, writer = await asyncio.open_connection(url.hostname, url.port)
    protocols = f"voicebackend.v1, token.{created['token'] if token is None else token}"
    writer.write(
        f"GET {url.path} HTTP/1.1\r\nHost: {url.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Key: {b64encode(os.urandom(16)).decode()}\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Protocol: {protocols}\r\n{headers}\r\n".encode()
    )
    head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), WITHIN_S)
    assert head.startswith(b"HTTP/1.1 101"), head
    try:
        yield RawSocket(reader, writer)
    finally:
        writer.transport.abort()


async def good(api: Any) -> None:
    """Tell that the process takes calls."""
    async with a_call(api) as (_, ws, _):
        await ws.close()


def bomb() -> bytes:
    """Return 20 MB of silence, deflated."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(bytes(20_000_000)) + packer.flush()


async def test_what_is_deflated_is_refused_unread(api: Any) -> None:
    """We offer no compression, so that 20 KB are never 20 MB."""
    created = await api.create()
    async with opened(api, created, headers="Sec-WebSocket-Extensions: permessage-deflate\r\n") as ws:
        ws.send(_BINARY, await asyncio.to_thread(bomb), _LAST | _COMPRESSED)
        assert b"\x03\xea" in await ws.closed()  # 1002
    await good(api)


async def test_fragments_without_end_are_refused(api: Any) -> None:
    """A message has its bound, in however many pieces it comes."""
    created = await api.create()
    async with opened(api, created) as ws:
        ws.send(_BINARY, b"", 0)
        for _ in range(80):
            ws.send(_CONTINUED, bytes(16_384), 0)
            if ws.writer.is_closing():
                break
        assert await ws.closed()
    await good(api)


async def test_frames_of_no_kind_are_refused(api: Any) -> None:
    """Reserved kinds, a ping of 200 bytes, a continuation of nothing."""
    for kind, payload in ((3, b"x"), (11, b"x"), (_PING, bytes(200)), (_CONTINUED, b"x")):
        created = await api.create()
        async with opened(api, created) as ws:
            ws.send(kind, payload)
            assert await ws.closed()
    await good(api)


async def test_pings_without_end_hold_up_nobody(api: Any, worker: Any) -> None:
    """Ten thousand pings beside a call that goes on."""
    created = await api.create()
    async with opened(api, created) as ws, a_call(api) as (session, other, _):
        for _ in range(10_000):
            ws.send(_PING, b"x")
        worker.event(session, {"type": "state", "state": "speaking"})
        assert await next_text(other) == {"type": "state", "state": "speaking"}


async def test_a_socket_that_breaks_in_a_frame_may_come_back(api: Any, worker: Any, until: Any) -> None:
    """A reset in the midst of a message is a lost connection, not the end of the session."""
    created = await api.create()
    async with opened(api, created) as ws:
        ws.send(_TEXT, b'{"type":"start","sample_rate":16000}')
        await until(lambda: bool(worker.heard(created["id"], Kind.ATTACH)), within_s=WITHIN_S)
        ws.writer.write(b"\x82\xfe\x02\x80half")
        end = ws.writer.get_extra_info("socket")
        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        ws.writer.transport.abort()
        await until(lambda: bool(worker.heard(created["id"], Kind.DETACH)), within_s=WITHIN_S)
    assert worker.heard(created["id"], Kind.DETACH)[0].json()["stopped"] is False


async def test_where_a_page_comes_from_opens_nothing(api: Any) -> None:
    """There are no cookies: the token alone opens, for a page of any origin, and no origin without one."""
    created = await api.create()
    async with opened(api, created, headers="Origin: https://evil.example\r\n", token="forged") as ws:
        assert b"\x11\x31" in await ws.closed()  # 4401


@pytest.mark.parametrize("every", [1, 7])
async def test_audio_in_trickles_arrives_whole(api: Any, worker: Any, until: Any, every: int) -> None:
    """Two bytes at a time are as good as twenty milliseconds."""
    created = await api.create()
    async with api.media(created) as ws:
        await ws.send_json(START)
        assert (await next_text(ws))["type"] == "ready"
        sound = bytes(range(200)) * 2
        for at in range(0, len(sound), 2 * every):
            await ws.send_bytes(sound[at : at + 2 * every])

        def heard() -> bytes:
            return b"".join(frame.payload for frame in worker.heard(created["id"], Kind.AUDIO_IN))

        await until(lambda: heard() == sound, within_s=WITHIN_S)
