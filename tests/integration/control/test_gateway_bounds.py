"""Callers that take what they can: each is bounded, and the others notice nothing."""

from __future__ import annotations

import asyncio
import resource
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from gateway_calls import START, TONE, a_call, closing, next_text

from voicebackend.streams import Kind


def has_connection_from(address: tuple[str, int]) -> bool:
    """Tell whether this process holds the other end of a connection from there."""
    for entry in Path("/dev/fd").iterdir():
        with suppress(OSError):
            end = socket.socket(fileno=int(entry.name))
            try:
                if end.family is socket.AF_INET and end.getpeername() == address:
                    return True
            finally:
                end.detach()
    return False


async def test_a_socket_that_stops_reading_is_cut_off_and_leaves_nothing(
    api: Any, worker: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of a message: nobody waits for it, and its connection is gone from the gateway."""
    monkeypatch.setattr("control.gateway.writer.SEND_S", 0.5)
    monkeypatch.setattr("control.gateway.gateway.CLOSE_S", 0.2)
    created = await api.create()
    session = created["id"]
    async with a_call(api) as (other, there, _), api.media(created) as ws:
        await ws.send_json(START)
        assert (await next_text(ws))["type"] == "ready"
        transport = ws._response.connection.transport
        address = transport.get_extra_info("sockname")
        assert has_connection_from(address)
        transport.pause_reading()
        said = {"type": "transcript", "role": "agent", "text": "x" * 50_000, "final": True, "turn": 1}

        def gave_up() -> bool:
            worker.event(session, said)  # as fast as it is sent, so that it fills every buffer on the way
            return bool(worker.heard(session, Kind.DETACH))

        await until(gave_up, within_s=30)
        assert worker.heard(session, Kind.DETACH)[0].json()["stopped"] is False
        await until(lambda: not has_connection_from(address), within_s=20)
        worker.event(other, {"type": "state", "state": "speaking"})
        assert await next_text(there) == {"type": "state", "state": "speaking"}
        transport.abort()


async def test_a_thousand_sockets_that_say_nothing_keep_nobody_waiting(api: Any, worker: Any) -> None:
    """Each is closed when its time for ``start`` is over; a call goes on meanwhile."""
    count = min(1000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] // 4)
    created = await api.create()
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http, a_call(api) as (session, ws, _):
        idle = await asyncio.gather(*(http.ws_connect(created["connect_url"]) for _ in range(count)))
        worker.say(session, 1, TONE)
        assert (await ws.receive(timeout=5)).type is aiohttp.WSMsgType.BINARY
        ended = await asyncio.gather(*(closing(socket) for socket in idle))
        assert {(texts[-1]["code"], code) for texts, code in ended} == {("timeout", 4408)}
        worker.event(session, {"type": "state", "state": "speaking"})
        while (await next_text(ws))["type"] != "state":
            pass


async def test_more_sockets_than_may_wait_at_the_door_are_turned_away(
    api: Any, worker: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a code that says to try again; those inside are not disturbed."""
    monkeypatch.setattr("control.gateway.gateway.MAX_GREETING", 2)
    created = await api.create()
    async with api.media(created) as first, api.media(created, token="") as _second:
        async with api.media(created) as third:
            texts, code = await closing(third)
            assert ([text["code"] for text in texts], code) == (["session_limit_exceeded"], 4503)
        await first.send_json(START)
        assert (await next_text(first))["type"] == "ready"


async def test_a_burst_of_half_a_minute_arrives_whole_and_more_is_too_fast(api: Any, worker: Any, until: Any) -> None:
    """As after a lost connection; others wait no longer for it than for a frame."""
    async with a_call(api) as (session, ws, _), a_call(api) as (other, there, _):
        for _ in range(149):
            await ws.send_bytes(TONE)
        await there.send_bytes(TONE[:640])
        await until(lambda: len(worker.heard(other, Kind.AUDIO_IN)) == 1)
        await until(lambda: len(worker.heard(session, Kind.AUDIO_IN)) == 1490, within_s=20)
        assert [frame.seq for frame in worker.heard(session, Kind.AUDIO_IN)] == list(range(1, 1491))
        for _ in range(150):
            await ws.send_bytes(TONE)
        texts, code = await closing(ws)
        assert (texts[-1]["code"], code) == ("rate_limit_exceeded", 4429)
