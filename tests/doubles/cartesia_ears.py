"""The double's ears: one that recognises when it is told to finalize, and one that ends turns by itself."""

from __future__ import annotations

from typing import Any

from aiohttp import WSMsgType, web
from cartesia_messages import parsed, turns_faults
from listening import Listening

from providers.mock.tones import spoken

REQUEST = "58dfa4d4-91c5-410c-8529-6824c8f7aedc"
INTERIM_S = 0.5
"""Seconds of audio after which it tells what it has understood so far."""


class ManualEar:
    """One websocket: binary audio and the words ``finalize`` and ``close``."""

    def __init__(self, ws: web.WebSocketResponse, garbled: list[str], rate: int) -> None:
        self._ws, self._garbled, self._rate = ws, garbled, rate
        self._heard = bytearray()
        self._told = ""
        self._next = INTERIM_S

    async def run(self) -> None:
        """Listen until the client goes, or says that it does."""
        async for message in self._ws:
            if message.type is WSMsgType.BINARY:
                await self._hear(message.data)
            elif message.data == "finalize":
                await self._finalize()
                await self._send({"type": "flush_done"})
            elif message.data == "close":
                await self._finalize()
                await self._send({"type": "done"})
                await self._ws.close()
            else:
                self._garbled.append("an ear knows the words finalize and close")

    async def _hear(self, pcm: bytes) -> None:
        if not pcm or len(pcm) % 2:
            self._garbled.append("audio is whole samples")
            return
        self._heard += pcm
        if len(self._heard) / 2 / self._rate >= self._next:
            self._next += INTERIM_S
            await self._transcript(is_final=False)

    async def _finalize(self) -> None:
        await self._transcript(is_final=True)
        self._heard.clear()
        self._next = INTERIM_S

    async def _transcript(self, *, is_final: bool) -> None:
        """Tell what was said since the last final text; pieces carry the spaces between them."""
        text = spoken(bytes(self._heard), self._rate)
        if not text:
            return
        text = f" {text}" if self._told and not self._told.endswith(" ") else text
        if is_final:
            self._told += text
        duration = len(self._heard) / 2 / self._rate
        await self._send({"type": "transcript", "is_final": is_final, "text": text, "duration": duration})

    async def _send(self, message: dict[str, Any]) -> None:
        await self._ws.send_json({"request_id": REQUEST, **message})


class TurnsEar:
    """One websocket: binary audio up, turns down."""

    def __init__(self, ws: web.WebSocketResponse, garbled: list[str], rate: int) -> None:
        self._ws, self._garbled = ws, garbled
        self._listening = Listening(rate)

    async def run(self) -> None:
        """Listen until the client goes, or says that it does."""
        await self._send("connected")
        async for message in self._ws:
            if message.type is WSMsgType.BINARY:
                await self._hear(message.data)
                continue
            command = parsed(message.data)
            self._garbled.extend(turns_faults(command))
            if command.get("type") == "close":
                await self._ws.close()

    async def _hear(self, pcm: bytes) -> None:
        for noticed in self._listening.push(pcm):
            if noticed.kind == "started":
                await self._send("turn.start")
            else:
                await self._send("turn.update", noticed.text)
                await self._send("turn.eager_end", noticed.text)
                await self._send("turn.end", noticed.text)

    async def _send(self, kind: str, text: str | None = None) -> None:
        more = {} if text is None else {"transcript": text}
        await self._ws.send_json({"type": kind, "request_id": REQUEST, **more})
