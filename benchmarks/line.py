"""One call: a session made by HTTP and held over its websocket, as any client would, heard by a ``Phone``."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from benchmarks.phone import Phone
from benchmarks.speech import RATE

READY_S = 20.0
SAMPLE_BYTES = 2


class Line:
    """A caller's end of a websocket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self.phone = Phone()
        self.latencies: list[dict[str, float]] = []
        """What the server says about each turn's stages, in milliseconds."""

    async def send(self, pcm: bytes) -> None:
        """Send a piece of audio; nothing once the server has hung up."""
        if not self._socket.closed:
            await self._socket.send_bytes(pcm)

    async def until(self, kind: str) -> None:
        """Wait for an event; raises RuntimeError if the server refuses."""
        async with asyncio.timeout(READY_S):
            async for message in self._socket:
                event = json.loads(message.data) if message.type is aiohttp.WSMsgType.TEXT else {}
                if event.get("type") == kind:
                    return
                if event.get("type") == "error":
                    raise RuntimeError(event)
        raise RuntimeError(f"the socket closed before {kind}: {self._socket.close_code}")

    async def listen(self) -> None:
        """Hear what comes until the socket closes."""
        async for message in self._socket:
            now = time.monotonic()
            if message.type is aiohttp.WSMsgType.BINARY:
                self.phone.hear(len(message.data) / SAMPLE_BYTES / RATE, now)
            elif message.type is aiohttp.WSMsgType.TEXT:
                self._obey(json.loads(message.data), now)

    async def hang_up(self) -> None:
        """Stop the session."""
        if not self._socket.closed:
            await self._socket.send_json({"type": "stop"})

    def _obey(self, event: dict[str, Any], now: float) -> None:
        match event["type"]:
            case "clear":
                self.phone.clear(now)
            case "pause":
                self.phone.pause(now)
            case "resume":
                self.phone.resume(now)
            case "turn":
                self.latencies.append(event["latency_ms"])
            case _:
                pass


@asynccontextmanager
async def call(client: aiohttp.ClientSession, url: str, api_key: str, body: dict[str, Any]) -> AsyncIterator[Line]:
    """Hold a call while the context is open."""
    headers = {"Authorization": f"Bearer {api_key}", "Prefer": "wait=10"}
    async with client.post(f"{url}/v1/sessions", json=body, headers=headers) as response:
        if response.status != 201:
            raise RuntimeError(await response.text())
        created = await response.json()
    protocols = ("voicebackend.v1", f"token.{created['token']}")
    async with client.ws_connect(created["connect_url"], protocols=protocols, compress=0) as socket:
        await socket.send_json({"type": "start", "sample_rate": RATE})
        line = Line(socket)
        await line.until("ready")
        listening = asyncio.create_task(line.listen(), name="listen")
        try:
            yield line
            await line.hang_up()
            await asyncio.wait({listening}, timeout=READY_S)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
