"""Callers whose audio is encoded: told so in ``start``, decoded for the worker, encoded for the caller."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import numpy as np
import pytest

from voicebackend.audio import level_dbfs
from voicebackend.codecs import Encoding, open_codec
from voicebackend.streams import Kind

TONE = (8_000 * np.sin(np.arange(8_000) * 2 * np.pi * 440 / 8_000)).astype("<i2").tobytes()
"""A second at 8 kHz."""


async def texts_until(ws: Any, kind: str) -> dict[str, Any]:
    """Return the first text of this type; others, and audio, are passed over."""
    while True:
        message = await ws.receive(timeout=5)
        assert message.type in {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY}, message
        if message.type is aiohttp.WSMsgType.TEXT and json.loads(message.data)["type"] == kind:
            return dict(json.loads(message.data))


@pytest.mark.parametrize("encoding", ["mulaw", "alaw", "opus"])
async def test_a_caller_speaks_and_hears_in_its_own_encoding(api: Any, worker: Any, until: Any, encoding: str) -> None:
    """The worker gets a second at 16 kHz, and a second of the agent comes back as it would be decoded anywhere."""
    codec, created = open_codec(Encoding(encoding), 8_000), await api.create()
    async with api.media(created) as ws:
        await ws.send_json({"type": "start", "sample_rate": 8_000, "encoding": encoding})
        assert (await texts_until(ws, "ready"))["encoding"] == encoding
        await texts_until(ws, "state")
        for at in range(0, len(TONE), 320):
            for message in codec.encode(TONE[at : at + 320]):
                await ws.send_bytes(message)

        def heard() -> bytes:
            return b"".join(frame.payload for frame in worker.heard(created["id"], Kind.AUDIO_IN))

        await until(lambda: len(heard()) >= 2 * 16_000 - 640)
        assert level_dbfs(heard()) == pytest.approx(level_dbfs(TONE), abs=1)

        worker.say(created["id"], 1, TONE)
        worker.event(created["id"], {"type": "audio_end", "turn": 1})
        agent = b""
        while (message := await ws.receive(timeout=5)).type is aiohttp.WSMsgType.BINARY:
            agent += codec.decode(message.data)
        assert json.loads(message.data)["type"] == "audio_end"
        assert len(TONE) <= len(agent) <= len(TONE) + 320
        assert level_dbfs(agent) == pytest.approx(level_dbfs(TONE), abs=1)


@pytest.mark.parametrize(
    ("wanted", "code", "close"),
    [
        ({"sample_rate": 8_000, "encoding": "mp3"}, "invalid_format", 4415),
        ({"sample_rate": 8_000, "encoding": 7}, "invalid_format", 4415),
        ({"sample_rate": 16_000, "encoding": "mulaw"}, "invalid_format", 4415),
        ({"sample_rate": 44_100, "encoding": "opus"}, "invalid_format", 4415),
    ],
)
async def test_an_encoding_that_cannot_be_is_refused_before_the_token_is_spent(
    api: Any, wanted: dict[str, Any], code: str, close: int
) -> None:
    """The caller is told why, and may come again with the same token."""
    created = await api.create()
    async with api.media(created) as ws:
        await ws.send_json({"type": "start", **wanted})
        assert (await texts_until(ws, "error"))["code"] == code
        assert (await ws.receive(timeout=5)).data == close
    async with api.media(created) as ws:
        await ws.send_json({"type": "start", "sample_rate": 8_000, "encoding": "alaw"})
        assert (await texts_until(ws, "ready"))["encoding"] == "alaw"


@pytest.mark.parametrize(
    ("packet", "code", "close"),
    [(b"\xff" * 50, "invalid_format", 4415), (bytes(8_000), "invalid_format", 4413)],
    ids=["corrupt", "too long"],
)
async def test_a_packet_that_is_none_ends_the_socket_and_nothing_else(
    api: Any, packet: bytes, code: str, close: int
) -> None:
    """Other callers are served on."""
    created, other = await api.create(), await api.create()
    async with api.media(created) as ws:
        await ws.send_json({"type": "start", "sample_rate": 48_000, "encoding": "opus"})
        await texts_until(ws, "ready")
        await ws.send_bytes(packet)
        assert (await texts_until(ws, "error"))["code"] == code
        assert (await ws.receive(timeout=5)).data == close
    async with api.media(other) as ws:
        await ws.send_json({"type": "start", "sample_rate": 48_000, "encoding": "opus"})
        assert (await texts_until(ws, "ready"))["sample_rate"] == 48_000
