"""A caller of provider ``echo`` who numbers every frame and notes which come back, when, and how often."""

from __future__ import annotations

import asyncio
import struct
from collections import Counter
from contextlib import suppress
from typing import Any

import aiohttp

RATE = 16_000
FRAME_S = 0.02
_SAMPLES = round(RATE * FRAME_S)
_MAGIC = 12_345
_LATE_S = 8.0
"""Seconds for what waited while Redis did not answer: it is heard in real time."""
_REST = bytes((_SAMPLES - 3) * 2)


class EchoCaller:
    """Sends a frame every 20 ms for as long as it is told to."""

    def __init__(self, url: str, api_key: str, http: aiohttp.ClientSession) -> None:
        self._url, self._key, self._http = url, api_key, http
        self._sent = 0
        self._heard: Counter[int] = Counter()
        self._last: float | None = None
        self._held, self._news = asyncio.Event(), asyncio.Condition()
        self.longest_gap_s = 0.0
        self.ready = asyncio.Event()
        self.closed: int | None = None
        """The close code, if the call ended by itself."""

    @property
    def heard(self) -> int:
        """Frames that came back."""
        return sum(self._heard.values())

    @property
    def lost(self) -> int:
        """Frames that never came back."""
        return sum(1 for number in range(1, self._sent + 1) if not self._heard[number])

    @property
    def repeated(self) -> int:
        """Frames that came back more than once."""
        return sum(count - 1 for count in self._heard.values())

    def hang_up(self) -> None:
        """Have ``call`` end."""
        self._held.set()

    async def call(self) -> None:
        """Hold a call until ``hang_up``, and wait for what is still on its way."""
        created = await self._create()
        protocols = ("voicebackend.v1", f"token.{created['token']}")
        async with self._http.ws_connect(created["connect_url"], protocols=protocols) as socket:
            await socket.send_json({"type": "start", "sample_rate": RATE})
            receiving = asyncio.create_task(self._receive(socket), name="echo caller hears")
            sending = asyncio.create_task(self._send(socket), name="echo caller speaks")
            held = asyncio.create_task(self._held.wait(), name="echo caller stays")
            try:
                await asyncio.wait({held, receiving}, return_when=asyncio.FIRST_COMPLETED)
                if receiving.done():
                    self.closed = socket.close_code
                sending.cancel()
                await self._settle()
                if not socket.closed:
                    await socket.send_json({"type": "stop"})
            finally:
                for task in (receiving, sending, held):
                    task.cancel()
                await asyncio.gather(receiving, sending, held, return_exceptions=True)

    async def _settle(self) -> None:
        """Give what is still on its way a moment."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LATE_S), self._news:
                await self._news.wait_for(lambda: not self.lost)

    async def _create(self) -> dict[str, Any]:
        body = {"user_id": "echo", "transport": "websocket", "provider": "echo"}
        headers = {"Authorization": f"Bearer {self._key}", "Prefer": "wait=10"}
        async with self._http.post(f"{self._url}/v1/sessions", json=body, headers=headers) as response:
            assert response.status == 201, await response.text()
            return dict(await response.json())

    async def _send(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        await self.ready.wait()
        loop = asyncio.get_running_loop()
        due = loop.time()
        while not socket.closed:
            self._sent += 1
            await socket.send_bytes(struct.pack("<hhh", _MAGIC, self._sent >> 14, self._sent & 0x3FFF) + _REST)
            due += FRAME_S
            await asyncio.sleep(max(0.0, due - loop.time()))

    async def _receive(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            if message.type is aiohttp.WSMsgType.TEXT:
                if message.json()["type"] == "ready":
                    self.ready.set()
                continue
            now = asyncio.get_running_loop().time()
            if self._last is not None:
                self.longest_gap_s = max(self.longest_gap_s, now - self._last)
            self._last = now
            for at in range(0, len(message.data) - 5, _SAMPLES * 2):
                magic, high, low = struct.unpack_from("<hhh", message.data, at)
                if magic == _MAGIC:
                    self._heard[high << 14 | low] += 1
            async with self._news:
                self._news.notify_all()
