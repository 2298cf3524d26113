"""A caller at a real websocket of an embedded backend, in real time, with a phone that plays and tells what."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from scripted_phone import Phone

from providers.mock.tones import speak, spoken
from voicebackend import SessionConfig, VoiceBackend
from voicebackend.codecs import Codec, Encoding, open_codec
from voicebackend.events import SUBPROTOCOL, TOKEN_PREFIX

RATE = 16_000
LETTER_S = 0.03
"""Seconds a letter takes on both sides."""
FRAME_S = 0.04


class RealCaller:
    """One caller; the phone's audio is 16 kHz PCM, whatever goes over the wire."""

    def __init__(self, http: aiohttp.ClientSession, url: str, codec: Codec) -> None:
        self._http, self._url, self._codec = http, url, codec
        self._reports: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.phone = Phone(self._played)
        self.events: list[dict[str, Any]] = []
        self.audio = bytearray()
        """All that came, at the wire's rate, decoded."""
        self._changed = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []
        self._resume = ""

    async def connect(self, token: str = "") -> None:
        """Open the socket: with a token, or as the one that was lost."""
        protocols = (SUBPROTOCOL, TOKEN_PREFIX + token) if token else (SUBPROTOCOL,)
        self._socket = await self._http.ws_connect(self._url, protocols=protocols)
        if not token:
            await self._socket.send_json({"type": "auth", "resume": self._resume})
        start = {"type": "start", "sample_rate": self._codec.sample_rate, "encoding": str(self._codec.name)}
        await self._socket.send_json(start)
        before = len(self.events)
        self._tasks = [
            asyncio.create_task(self._read(self._socket), name="caller reads"),
            asyncio.create_task(self._report(self._socket), name="caller reports"),
        ]
        ready = await self.until("ready", since=before)
        self._resume = ready["resume_token"]

    async def lose(self) -> None:
        """Lose the network: nothing is said to the other side, and what the phone had is gone."""
        assert self._socket._writer is not None
        transport = self._socket._writer.transport
        assert transport is not None
        transport.abort()
        await self.close()
        self.phone.reset()

    async def close(self) -> None:
        """Let go of the socket."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._socket.close()

    async def _read(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        async for message in socket:
            async with self._changed:
                if message.type is aiohttp.WSMsgType.BINARY:
                    pcm = self._codec.decode(message.data)
                    self.audio += pcm
                    if self._codec.sample_rate == RATE:
                        self.phone.take(pcm)
                else:
                    self.events.append(json.loads(message.data))
                    self.phone.take(message.data)
                self._changed.notify_all()

    def _played(self, turn: int, ms: float, stopped: bool) -> None:
        self._reports.put_nowait({"type": "played", "turn": turn, "ms": ms, "stopped": stopped})

    async def _report(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        while True:
            await socket.send_json(await self._reports.get())

    async def send(self, pcm: bytes) -> None:
        """Send PCM of the wire's rate, as fast as it goes: on a busy machine, pauses would be heard as silence."""
        step = round(FRAME_S * self._codec.sample_rate) * 2
        for at in range(0, len(pcm), step):
            for message in self._codec.encode(pcm[at : at + step]):
                await self._socket.send_bytes(message)

    async def say(self, text: str) -> None:
        """Say a text, and fall silent."""
        rate = self._codec.sample_rate
        await self.send(speak(text, rate, LETTER_S) + bytes(rate * 2))

    async def until(self, kind: str, *, since: int = 0, timeout_s: float = 20.0, **expected: Any) -> dict[str, Any]:
        """Return the first event of a type with these values, among those since."""

        def found() -> dict[str, Any] | None:
            for event in self.events[since:]:
                if event["type"] == kind and expected.items() <= event.items():
                    return event
            return None

        try:
            async with asyncio.timeout(timeout_s), self._changed:
                await self._changed.wait_for(lambda: found() is not None)
        except TimeoutError:
            raise AssertionError(f"no {kind} {expected} among {self.events[since:]}") from None
        event = found()
        assert event is not None
        return event

    async def until_silent(self) -> None:
        """Wait until the conversation listens, and the phone has played all that came."""
        async with asyncio.timeout(20):
            while self.of("state")[-1]["state"] != "listening" or self.phone.ahead_s > 0:  # noqa: ASYNC110 - time passes
                await asyncio.sleep(FRAME_S)

    async def ask(self, text: str) -> str:
        """Say something and return what is answered, once it has been said."""
        since = len(self.events)
        await self.say(text)
        return str((await self.until("transcript", since=since, role="agent", final=True))["text"])

    def of(self, kind: str, **expected: Any) -> list[dict[str, Any]]:
        """Return the events of a type with these values."""
        return [event for event in self.events if event["type"] == kind and expected.items() <= event.items()]

    def heard(self, turn: int) -> str:
        """Return what the phone has played of a turn."""
        self.phone.advance()
        return spoken(bytes(self.phone.played.get(turn, b"")), RATE)

    def came(self) -> str:
        """Return all that was sent to the caller."""
        return spoken(bytes(self.audio), self._codec.sample_rate)


@asynccontextmanager
async def calling(
    backend: VoiceBackend, *, sample_rate: int = RATE, encoding: Encoding = Encoding.PCM16, **session: Any
) -> AsyncIterator[RealCaller]:
    """Hold a call; the session must have lived until the end of it."""
    config = SessionConfig(user_id="u", transport="websocket", **session)
    created = await backend.create_session(config)
    headers = {"Authorization": f"Bearer {backend.api_key}"}
    async with aiohttp.ClientSession() as http:
        path = f"{backend.url}/v1/sessions/{created.id}/token"
        async with http.post(path, headers=headers) as response:
            told = await response.json()
        caller = RealCaller(http, told["connect_url"], open_codec(encoding, sample_rate))
        await caller.connect(told["token"])
        try:
            yield caller
            await caller._socket.send_json({"type": "stop"})
            assert (await caller.until("ended"))["reason"] == "hangup"
        finally:
            await caller.close()
