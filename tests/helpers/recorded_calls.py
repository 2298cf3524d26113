"""Calls with one agent over a websocket, in real time: what is said is a matter of the test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import soundfile

from providers.mock.tones import speak, spoken

RATE, FRAME = 16_000, 640
WAIT_S = 60.0


class RecordedCall:
    """A caller who speaks and is silent in turn."""

    def __init__(
        self, http: aiohttp.ClientSession, url: str, session: str, socket: aiohttp.ClientWebSocketResponse
    ) -> None:
        self.http, self.session, self._socket = http, session, socket
        self.url = f"{url}/v1/sessions/{session}"
        self._answered, self._over = asyncio.Event(), asyncio.Event()

    async def listen(self) -> None:
        """Note when the agent has said what it had to say."""
        async for message in self._socket:
            if message.type is aiohttp.WSMsgType.TEXT and json.loads(message.data)["type"] == "audio_end":
                self._answered.set()
        self._over.set()

    async def say(self, word: str) -> None:
        """Say a word, and be silent until the agent has answered and was heard."""
        self._answered.clear()
        speech = speak(word, RATE, 0.05)
        async with asyncio.timeout(WAIT_S):
            while speech or not self._answered.is_set():
                await self._send(speech[:FRAME])
                speech = speech[FRAME:]
        await self.be_silent(0.4)

    async def be_silent(self, seconds: float) -> None:
        """Say nothing for so long."""
        for _ in range(round(seconds / 0.02)):
            await self._send(b"")

    async def _send(self, pcm: bytes) -> None:
        await self._socket.send_bytes(pcm.ljust(FRAME, b"\0"))
        await asyncio.sleep(0.02)

    async def consent(self, *classes: str, given: bool = True) -> dict[str, bool]:
        """Tell the backend of a consent, or a withdrawal."""
        body: dict[str, Any] = {"classes": classes, "given": given, "text_version": "2026-11"}
        async with self.http.post(f"{self.url}/consent", json=body) as response:
            assert response.status == 200, await response.text()
            return dict((await response.json())["classes"])

    async def hang_up(self) -> None:
        """End the call."""
        await self._socket.send_json({"type": "stop"})
        async with asyncio.timeout(WAIT_S):
            await self._over.wait()


@asynccontextmanager
async def recorded_call(url: str, key: str, **asked: Any) -> AsyncIterator[RecordedCall]:
    """Give a caller whose session was asked for like this."""
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}"}) as http:
        body = {"user_id": "caller@example.com", "transport": "websocket", **asked}
        created = await created_session(http, f"{url}/v1/sessions", body)
        protocols = ("voicebackend.v1", f"token.{created['token']}")
        async with http.ws_connect(created["connect_url"], protocols=protocols) as socket:
            await socket.send_json({"type": "start", "sample_rate": RATE})
            call = RecordedCall(http, url, created["id"], socket)
            listening = asyncio.create_task(call.listen(), name="caller hears")
            try:
                yield call
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)


async def created_session(http: aiohttp.ClientSession, url: str, body: dict[str, Any]) -> dict[str, Any]:
    """Return a session; a worker on a busy machine may take none for a moment."""
    async with asyncio.timeout(WAIT_S):
        while True:
            async with http.post(url, json=body, headers={"Prefer": "wait=10"}) as response:
                created = await response.json()
            if response.status == 201:
                return dict(created)
            assert response.status == 503, created
            await asyncio.sleep(0.5)


def files(store: Path, pattern: str) -> list[Path]:
    """Return the objects like this; the store writes beside an object before it is one."""
    return sorted(path for path in store.rglob(pattern) if path.is_file() and "#" not in path.name)


def words_of(recording: Path, channel: int) -> str:
    """Return what was said on a channel; a tone that a slow caller let fall silent counts once."""
    samples, _ = soundfile.read(recording, dtype="int16")
    pcm = np.ascontiguousarray(samples[:, channel]).astype("<i2").tobytes()
    return "".join(letter for letter, _ in groupby(spoken(pcm, RATE)))
