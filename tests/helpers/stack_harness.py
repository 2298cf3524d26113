"""Callers of the development stack: plain HTTP and a plain websocket, as any client would."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from providers.mock.tones import speak

RATE = 16_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StackAddress:
    """Where the stack is."""

    url: str
    api_key: str
    log: list[str] = field(default_factory=list)
    """What its processes have printed so far."""


class StackClient:
    """Creates sessions and calls them."""

    def __init__(self, address: StackAddress, http: aiohttp.ClientSession) -> None:
        self.address, self._http = address, http

    async def request(self, method: str, path: str, **more: Any) -> tuple[int, Any]:
        """Return status and JSON body."""
        headers = {"Authorization": f"Bearer {self.address.api_key}", **more.pop("headers", {})}
        async with self._http.request(method, self.address.url + path, headers=headers, **more) as response:
            text = await response.text()
            return response.status, json.loads(text) if text else None

    async def create(self, agent: str, **more: Any) -> dict[str, Any]:
        """Create a session that is ready."""
        body = {"user_id": "tester", "transport": "websocket", "agent": agent, **more}
        status, created = await self.request("POST", "/v1/sessions", json=body, headers={"Prefer": "wait=5"})
        assert status == 201, created
        return dict(created)

    @asynccontextmanager
    async def call(self, agent: str, **more: Any) -> AsyncIterator[StackCall]:
        """Hold a call with an agent; it is stopped at the end."""
        created = await self.create(agent, **more)
        protocols = ("voicebackend.v1", f"token.{created['token']}")
        async with self._http.ws_connect(created["connect_url"], protocols=protocols) as socket:
            await socket.send_json({"type": "start", "sample_rate": RATE})
            call = StackCall(created["id"], socket)
            await call.until("ready")
            yield call
            await socket.send_json({"type": "stop"})
            await call.until("ended")


class StackCall:
    """One caller."""

    def __init__(self, session: str, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.session, self._socket = session, socket
        self.events: list[dict[str, Any]] = []
        self.audio = bytearray()

    async def say(self, text: str) -> None:
        """Speak a text in tones, in real time, with silence after it."""
        pcm = speak(text, RATE, 0.04) + bytes(RATE)
        for start in range(0, len(pcm), 3200):
            await self._socket.send_bytes(pcm[start : start + 3200])
            await asyncio.sleep(0.08)

    async def until(self, kind: str, *, timeout_s: float = 15.0, **expected: Any) -> dict[str, Any]:
        """Return the next event of this type with these values; audio on the way is kept."""
        async with asyncio.timeout(timeout_s):
            while True:
                message = await self._socket.receive()
                if message.type is aiohttp.WSMsgType.BINARY:
                    self.audio += message.data
                    continue
                assert message.type is aiohttp.WSMsgType.TEXT, (message, self.events)
                event = json.loads(message.data)
                self.events.append(event)
                if event["type"] == kind and all(event.get(name) == value for name, value in expected.items()):
                    return dict(event)
