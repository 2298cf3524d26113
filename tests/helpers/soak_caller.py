"""A caller of a soak: speaks, interrupts, drops, comes back, vanishes, by lot."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Any

import aiohttp
from soak_agents import FAILS

from providers.mock.tones import speak
from voicebackend.events import CloseCode

RATE, LETTER_S, CHUNK_S = 16_000, 0.03, 0.1
LATE_S = 300.0
"""Seconds within which a call is over; a loaded machine takes its time."""
AWAY_S = 25.0
"""Seconds until a session whose caller has vanished is over, and some more."""
SAID, METADATA, USER = "quokkazorvex", "metadata-pangolinÿx", "user-okapizorvex"
BAD_KEY, BAD_TOKEN = "key-of-a-numbatzorvex", "token-of-a-bilbyzorvex"
CANARIES = (SAID, METADATA, BAD_KEY, BAD_TOKEN)


@dataclass
class Soaked:
    """What all callers did, and what came of it."""

    did: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    """Bodies of HTTP errors, messages and reasons of errors on sockets."""
    secrets: list[str] = field(default_factory=list)
    """Tokens that were handed out."""


class SoakCaller:
    """One place at a time: calls, and calls again, until it is told to stop."""

    def __init__(self, url: str, api_key: str, http: aiohttp.ClientSession, random: Random, soaked: Soaked) -> None:
        self._url, self._http, self._random, self._soaked = url, http, random, soaked
        self._headers = {"Authorization": f"Bearer {api_key}", "Prefer": "wait=10"}
        self._resume = ""

    async def call_until(self, over_at: float) -> None:
        """Hold calls until this moment of the event loop's clock."""
        loop = asyncio.get_running_loop()
        while loop.time() < over_at:
            try:
                async with asyncio.timeout(LATE_S):
                    await self._call(may_vanish=loop.time() + AWAY_S < over_at)
            except (AssertionError, TimeoutError, aiohttp.ClientError) as error:
                self._soaked.faults.append(repr(error))

    async def say(self, text: str) -> None:
        """Keep somebody out of a session, and hold a call of one turn in it."""
        created = await self._created()
        await self._intrude(created["connect_url"])
        async with self._socket(created["connect_url"], created["token"]) as socket:
            await self._enter(socket)
            await self._speak(socket, text)
            await self._until(socket, "audio_end")
            await socket.send_json({"type": "stop"})
            await self._until(socket, "ended")

    async def _call(self, *, may_vanish: bool) -> None:
        await self._err()
        created = await self._created()
        token = created["token"]
        if self._random.random() < 0.2:
            await self._intrude(created["connect_url"])
        for _ in range(self._random.randint(1, 3)):
            async with self._socket(created["connect_url"], token) as socket:
                await self._enter(socket, token)
                await self._talk(socket)
                if self._random.random() < 0.5:
                    await self._leave(socket, created["id"], may_vanish=may_vanish)
                    return
                self._drop(socket)
            self._soaked.did["dropped"] += 1
            await asyncio.sleep(self._random.uniform(0, 1))
            token = self._resume
        await self._delete(created["id"])

    async def _intrude(self, url: str) -> None:
        """Try a token that nobody was given."""
        async with self._socket(url, BAD_TOKEN) as socket:
            await socket.send_json({"type": "start", "sample_rate": RATE})
            closed = await socket.receive()
            while closed.type in {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY}:
                self._soaked.errors.append(str(closed.data))
                closed = await socket.receive()
            self._soaked.errors.append(f"{closed.data} {closed.extra}")
            assert closed.data == CloseCode.UNAUTHENTICATED, closed
        self._soaked.did["kept out"] += 1

    def _socket(self, url: str, token: str) -> Any:
        protocols = ("voicebackend.v1",) if token == self._resume else ("voicebackend.v1", f"token.{token}")
        return self._http.ws_connect(url, protocols=protocols, max_msg_size=0)

    async def _enter(self, socket: aiohttp.ClientWebSocketResponse, token: str = "") -> None:
        if token and token == self._resume:
            await socket.send_json({"type": "auth", "resume": token})
            self._soaked.did["came back"] += 1
        await socket.send_json({"type": "start", "sample_rate": RATE})
        ready = await self._until(socket, "ready")
        self._resume = ready["resume_token"]
        self._soaked.secrets.append(self._resume)

    async def _talk(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        for _ in range(self._random.randint(1, 3)):
            fails = self._random.random() < 0.1
            await self._speak(socket, f"{FAILS} {SAID}" if fails else f"{SAID} {self._random.randint(0, 999)}")
            self._soaked.did["turns"] += 1
            if self._random.random() < 0.3:
                await self._until(socket, "audio_start")
                await asyncio.sleep(self._random.uniform(0, 0.5))
                self._soaked.did["interrupted"] += 1
                continue
            await self._until(socket, "audio_end")

    async def _speak(self, socket: aiohttp.ClientWebSocketResponse, text: str) -> None:
        pcm = speak(text, RATE, LETTER_S) + bytes(RATE)
        size = round(CHUNK_S * RATE) * 2
        for start in range(0, len(pcm), size):
            await socket.send_bytes(pcm[start : start + size])
            await asyncio.sleep(CHUNK_S * 0.9)

    async def _leave(self, socket: aiohttp.ClientWebSocketResponse, session: str, *, may_vanish: bool) -> None:
        way = self._random.choice(["hung up", "closed", "deleted", *["vanished"] * may_vanish])
        self._soaked.did[way] += 1
        if way == "hung up":
            await socket.send_json({"type": "stop"})
            await self._until(socket, "ended")
        elif way == "closed":
            await socket.close()
        elif way == "deleted":
            await self._delete(session)
        else:
            self._drop(socket)

    @staticmethod
    def _drop(socket: aiohttp.ClientWebSocketResponse) -> None:
        """Break the connection off as a network does."""
        connection = socket._response.connection
        if connection is not None and connection.transport is not None:
            connection.transport.abort()

    async def _until(self, socket: aiohttp.ClientWebSocketResponse, kind: str) -> dict[str, Any]:
        async for message in socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            event = json.loads(message.data)
            if event["type"] in {"error", "ended"}:
                self._soaked.errors.append(message.data)
            if event["type"] == kind:
                return dict(event)
            assert event["type"] != "ended", f"{event} where {kind} was awaited"
        raise AssertionError(f"closed with {socket.close_code} where {kind} was awaited")

    async def _created(self) -> dict[str, Any]:
        body = {"user_id": USER, "transport": "websocket", "agent": "soak", "metadata": {"note": METADATA}}
        while True:
            status, created = await self._asked("POST", "/v1/sessions", json=body)
            if status == 201:
                self._soaked.did["sessions"] += 1
                self._soaked.secrets.append(created["token"])
                return created
            assert status in {429, 503}, (status, created)
            self._soaked.did["refused"] += 1
            await asyncio.sleep(0.5)

    async def _delete(self, session: str) -> None:
        status, _ = await self._asked("DELETE", f"/v1/sessions/{session}")
        assert status in {200, 202, 204, 404, 409}, status

    async def _err(self) -> None:
        """Send something that is refused."""
        wrong: list[tuple[str, str, dict[str, Any]]] = [
            ("POST", "/v1/sessions", {"json": {"user_id": USER, "transport": METADATA}}),
            ("POST", "/v1/sessions", {"json": {"user_id": USER, "transport": "websocket", "note": METADATA}}),
            ("POST", "/v1/sessions", {"data": f'{{"note": "{METADATA}'}),
            ("GET", f"/v1/sessions?limit={METADATA}", {}),
            ("POST", "/v1/keys", {"json": {"name": METADATA, "scopes": [BAD_KEY]}}),
            ("GET", "/v1/sessions", {"headers": {"Authorization": f"Bearer {BAD_KEY}"}}),
        ]
        method, path, more = self._random.choice(wrong)
        status, _ = await self._asked(method, path, **more)
        assert 400 <= status < 500, (path, status)

    async def _asked(self, method: str, path: str, **more: Any) -> tuple[int, dict[str, Any]]:
        headers = {**self._headers, **more.pop("headers", {})}
        async with self._http.request(method, self._url + path, headers=headers, **more) as response:
            text = await response.text()
            if response.status >= 400:
                self._soaked.did["HTTP errors"] += 1
                self._soaked.errors.append(text)
            return response.status, json.loads(text) if text else {}
