"""Calls through the gateway, as integration tests make them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

START = {"type": "start", "sample_rate": 16_000}
TONE = bytes(range(256)) * 25  # 200 ms at 16 kHz


async def next_text(ws: Any) -> dict[str, Any]:
    """Return the next text message; audio on the way is passed over."""
    while True:
        message = await ws.receive(timeout=5)
        if message.type is aiohttp.WSMsgType.TEXT:
            return dict(json.loads(message.data))
        assert message.type is aiohttp.WSMsgType.BINARY, message


async def closing(ws: Any) -> tuple[list[dict[str, Any]], int]:
    """Return the texts that still come, and the close code."""
    async with asyncio.timeout(8):
        texts = [json.loads(message.data) async for message in ws if message.type is aiohttp.WSMsgType.TEXT]
    return texts, int(ws.close_code)


@asynccontextmanager
async def a_call(api: Any, *, rate: int = 16_000, **changes: Any) -> AsyncIterator[tuple[str, Any, dict[str, Any]]]:
    """Create a session and connect its caller: the session's id, the socket, and ``ready``."""
    created = await api.create(**changes)
    async with api.media(created) as ws:
        await ws.send_json({"type": "start", "sample_rate": rate})
        ready = await next_text(ws)
        assert ready["type"] == "ready", ready
        assert await next_text(ws) == {"type": "state", "state": "listening"}
        yield created["id"], ws, ready
