"""A session's worker is replaced while its caller is on the line: nobody hears it."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest
from gateway_calls import START, TONE, a_call, closing, next_text
from redis.asyncio import Redis

import control.gateway.gateway
from control.gateway.gateway import Gateway
from voicebackend.session import SessionState
from voicebackend.streams import Kind


async def audio_until_end(ws: Any) -> bytes:
    """Return the audio that comes before ``audio_end``."""
    heard = b""
    while (message := await ws.receive(timeout=5)).type is aiohttp.WSMsgType.BINARY:
        heard += message.data
    assert json.loads(message.data)["type"] == "audio_end", message.data
    return heard


async def test_a_new_holder_is_told_how_far_playout_is(api: Any, worker: Any, until: Any) -> None:
    """What the gateway has plays on meanwhile; what the new holder adds follows it, and the old one is mute."""
    async with a_call(api, rate=16_000) as (session, ws, _):
        worker.say(session, 2, TONE * 5)
        assert (await ws.receive(timeout=5)).type is aiohttp.WSMsgType.BINARY
        worker._send(session, Kind.ADOPT, b"{}", 0, worker.epoch + 1)
        worker.say(session, 2, TONE, epoch=worker.epoch)
        worker.event(session, {"type": "clear", "turn": 2}, epoch=worker.epoch)
        await until(lambda: len(worker.heard(session, Kind.PLAYOUT)) == 1)
        [frame] = worker.heard(session, Kind.PLAYOUT)
        told = frame.json()
        assert 0 <= told.pop("played_ms") < 1000
        inbox = worker.attachments[session]["inbox"]
        assert told == {"turn": 2, "received_ms": 1000, "paused": False, "sample_rate": 16_000, "inbox": inbox}
        assert (frame.turn, frame.attachment) == (2, worker.heard(session, Kind.ATTACH)[0].attachment)
        worker.say(session, 2, TONE[::-1], epoch=worker.epoch + 1)
        worker.event(session, {"type": "audio_end", "turn": 2}, epoch=worker.epoch + 1)
        assert (await audio_until_end(ws)).endswith(TONE * 3 + TONE[::-1])


async def test_what_a_socket_tells_is_numbered_so_that_it_counts_once(api: Any, worker: Any, until: Any) -> None:
    """After a write of which nobody knows whether it arrived, it is written again."""
    async with a_call(api) as (session, ws, _):
        for digit in "12#":
            await ws.send_json({"type": "dtmf", "digit": digit})
        await until(lambda: len(worker.heard(session, Kind.DTMF)) == 3)
        told = [*worker.heard(session, Kind.ATTACH), *worker.heard(session, Kind.DTMF)]
        assert [frame.seq for frame in told] == [1, 2, 3, 4]


async def test_a_caller_whose_session_moved_to_another_gateway_is_let_go(api: Any, worker: Any) -> None:
    """The worker tells it, having heard of the new socket; it hears of no end."""
    async with a_call(api) as (session, ws, _):
        worker.event(session, {"type": "replaced"})
        texts, code = await closing(ws)
        assert ([text["code"] for text in texts], code) == (["session_already_active"], 4409)
        assert worker.heard(session, Kind.DETACH) == []


async def test_a_caller_may_come_back_at_another_rate(api: Any, worker: Any, until: Any) -> None:
    """The worker hears of the new one, and what it sends goes out as that."""
    created = await api.create()
    session = created["id"]
    async with api.media(created) as ws:
        await ws.send_json(START)
        ready = await next_text(ws)
        ws._response.connection.transport.abort()
        await until(lambda: len(worker.heard(session, Kind.DETACH)) == 1)
    async with api.media(created, token="") as again:
        await again.send_json({"type": "auth", "resume": ready["resume_token"]})
        await again.send_json({**START, "sample_rate": 48_000})
        assert (await next_text(again))["sample_rate"] == 48_000
        assert [frame.json()["sample_rate"] for frame in worker.heard(session, Kind.ATTACH)] == [16_000, 48_000]
        worker.say(session, 1, TONE)
        worker.event(session, {"type": "audio_end", "turn": 1})
        assert await next_text(again) == {"type": "state", "state": "listening"}
        assert await audio_until_end(again) == TONE


async def test_a_caller_of_whom_its_session_does_not_know_is_attached_again(
    start: Any, worker: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An audio server that came back empty took the word with it, and the worker died before it was checkpointed."""
    monkeypatch.setattr(control.gateway.gateway, "WATCH_S", 0.2)
    async with a_call(await start()) as (session, _, _):
        await until(lambda: len(worker.heard(session, Kind.ATTACH)) == 2)
        await worker.store.move(session, SessionState.ACTIVE)
        first, again, *_ = worker.heard(session, Kind.ATTACH)
        assert (again.attachment, again.payload) == (first.attachment, first.payload)
        assert again.seq > first.seq


async def test_a_caller_of_whom_its_session_knows_is_not_attached_again(
    start: Any, worker: Any, until: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its record says so, however often that is looked at."""
    looks, look = [], Gateway._look

    async def counted(gateway: Gateway, redis: Redis) -> None:
        await look(gateway, redis)
        looks.append(len(gateway))

    monkeypatch.setattr(Gateway, "_look", counted)
    api = await start()
    async with a_call(api) as (session, _, _):
        await worker.store.move(session, SessionState.ACTIVE)
        monkeypatch.setattr(control.gateway.gateway, "WATCH_S", 0.05)
        await until(lambda: looks[-3:] == [1, 1, 1], within_s=10.0)
        assert len(worker.heard(session, Kind.ATTACH)) == 1
