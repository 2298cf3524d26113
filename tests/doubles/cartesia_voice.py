"""The double's voice: contexts on a websocket, spoken in tones faster than they sound."""

from __future__ import annotations

import asyncio
import base64
import re
from typing import Any

from aiohttp import web
from cartesia_messages import generation_faults, parsed
from listening import CHARACTER_S, voice

PIECE_S = 0.1
"""Seconds of audio in a message."""
_REPEATED = ("model_id", "voice", "output_format")


class VoiceSocket:
    """One websocket of a client's."""

    def __init__(self, ws: web.WebSocketResponse, garbled: list[str], *, speed: float, refused: int | None) -> None:
        self.ws, self._garbled, self._speed, self._refused = ws, garbled, speed, refused
        self._contexts: dict[str, tuple[asyncio.Queue[dict[str, Any]], asyncio.Task[None]]] = {}
        self.cancelled: list[str] = []

    async def run(self) -> None:
        """Speak until the client goes."""
        try:
            async for message in self.ws:
                request = parsed(message.data) if isinstance(message.data, str) else {}
                faults = generation_faults(request)
                if faults:
                    self._garbled.extend(faults)
                    await self._error(request, 400, "invalid_request")
                elif self._refused is not None:
                    await self._error(request, self._refused, "concurrency_limited")
                else:
                    self._take(request)
        finally:
            tasks = [task for _, task in self._contexts.values()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _take(self, request: dict[str, Any]) -> None:
        name = request["context_id"]
        if request.get("cancel"):
            self.cancelled.append(name)
            if name in self._contexts:
                self._contexts.pop(name)[1].cancel()
            return
        if name not in self._contexts:
            texts: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
            self._contexts[name] = texts, asyncio.create_task(self._speak(name, texts), name=f"context {name}")
        self._contexts[name][0].put_nowait(request)

    async def _speak(self, name: str, texts: asyncio.Queue[dict[str, Any]]) -> None:
        """Speak what comes for one context, until nothing more is to come."""
        made_s, first = 0.0, None
        while True:
            request = await texts.get()
            same = {field: request[field] for field in _REPEATED}
            first = first or same
            if same != first:
                self._garbled.append("a context's fields must repeat unchanged")
            try:
                made_s = await self._say(name, request, made_s)
            except asyncio.CancelledError:
                await asyncio.shield(self._send(name, _chunk(bytes(960))))  # what was under way still comes
                raise
            if request.get("flush"):
                await self._send(name, {"type": "flush_done", "flush_done": True, "flush_id": 1, "status_code": 206})
            if not request.get("continue"):
                break
        await self._send(name, {"type": "done", "done": True, "status_code": 200})
        self._contexts.pop(name, None)

    async def _say(self, name: str, request: dict[str, Any], made_s: float) -> float:
        text, rate = request["transcript"], request["output_format"]["sample_rate"]
        if request.get("add_timestamps") and text.strip():
            await self._send(name, _timestamps(text, made_s))
        pcm = voice(text, rate)
        size = round(PIECE_S * rate) * 2
        for at in range(0, len(pcm), size):
            await self._send(name, _chunk(pcm[at : at + size]))
            await asyncio.sleep(PIECE_S / self._speed)
        return made_s + len(pcm) / 2 / rate

    async def _error(self, request: dict[str, Any], status: int, code: str) -> None:
        error = {"type": "error", "done": True, "status_code": status, "error_code": code}
        words = {"title": "Refused", "message": f"refused: {request.get('transcript')}"}
        await self._send(str(request.get("context_id", "")), {**error, **words})

    async def _send(self, name: str, message: dict[str, Any]) -> None:
        if not self.ws.closed:
            await self.ws.send_json({"context_id": name, "done": False, **message})


def _chunk(pcm: bytes) -> dict[str, Any]:
    return {"type": "chunk", "data": base64.b64encode(pcm).decode(), "status_code": 206, "step_time": 1.5}


def _timestamps(text: str, made_s: float) -> dict[str, Any]:
    words = list(re.finditer(r"\S+", text))
    starts, ends = ([made_s + word.span()[side] * CHARACTER_S for word in words] for side in (0, 1))
    times = {"words": [word.group() for word in words], "start": starts, "end": ends}
    return {"type": "timestamps", "status_code": 206, "word_timestamps": times}
