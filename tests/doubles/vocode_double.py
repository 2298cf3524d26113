"""A Vocode server as it behaves on the wire: what is proven against the real one passes against this, and back."""

from __future__ import annotations

import asyncio
import io
import json
import time
import wave
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from aiohttp import WSMsgType, web
from listening import CHARACTER_S, Listening, answer_to, voice

from providers.conformance.double import Double

CHUNK_S = 0.1
"""Seconds of audio in a message; the next is sent a little before it has been played."""
AHEAD_S = 0.01
PAUSE_S = 0.2
"""Seconds of silence before an answer to who interrupted; the real server takes a whole second."""
ENCODINGS = {"linear16", "mulaw"}
FIELDS: Mapping[str, Mapping[str, type]] = {
    "websocket_audio_config_start": {
        "input_audio_config": dict,
        "output_audio_config": dict,
        "subscribe_transcript": bool,
    },
    "websocket_audio": {"data": str},
    "websocket_stop": {},
}
"""Of each message from the client, beside its type."""


class VocodeDouble(Double):
    """Answers at ``/conversation`` whoever begins as the protocol says."""

    def __init__(self, *, greeting: str = "", pace: float = 1.0) -> None:
        """``pace``: real time, as the real one; less is faster."""
        super().__init__()
        self.greeting, self.pace = greeting, pace

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        return [web.get("/conversation", self._conversation)]

    async def _conversation(self, request: web.Request) -> web.StreamResponse:
        ws = await self.accept(request)
        begun = self._checked(await ws.receive_str(), expected={"websocket_audio_config_start"})
        conversation = _Conversation(ws, begun, pace=self.pace)
        await ws.send_json({"type": "websocket_ready"})
        speaker = asyncio.create_task(conversation.speak(self.greeting), name="vocode double speaks")
        try:
            async for message in ws:
                if message.type is not WSMsgType.TEXT:
                    self.garbled.append(str(message.type))
                    break
                told = self._checked(message.data, expected={"websocket_audio", "websocket_stop"})
                if told["type"] == "websocket_stop":
                    break
                await conversation.hear(b64decode(told["data"], validate=True))
        finally:
            speaker.cancel()
            await asyncio.gather(speaker, return_exceptions=True)
        await ws.receive()  # it never closes by itself
        return ws

    def _checked(self, text: str, *, expected: set[str]) -> dict[str, Any]:
        """Return a message; one that the real server would not know ends the call, as there."""
        found: dict[str, Any] = json.loads(text)
        kind = found.pop("type", None)
        fields = FIELDS.get(kind, {}) if kind in expected else None
        if fields is None or {name: type(value) for name, value in found.items()} != dict(fields):
            self.garbled.append(f"{kind}: {sorted(found)}")
            raise web.HTTPInternalServerError
        for name in ("input_audio_config", "output_audio_config"):
            config = found.get(name, {"audio_encoding": "linear16", "sampling_rate": 16_000})
            if config["audio_encoding"] not in ENCODINGS or not isinstance(config["sampling_rate"], int):
                self.garbled.append(name)
        return {"type": kind, **found}


class _Conversation:
    """One caller: what is heard, and what is said one after the other."""

    def __init__(self, ws: web.WebSocketResponse, begun: Mapping[str, Any], *, pace: float) -> None:
        self._ws, self._pace = ws, pace
        self._rate = begun["output_audio_config"]["sampling_rate"]
        self._listening = Listening(begun["input_audio_config"]["sampling_rate"])
        self._texts: asyncio.Queue[str] = asyncio.Queue()
        self._speaking = self._interrupted = False

    async def hear(self, pcm: bytes) -> None:
        """Take the caller's audio; finished words interrupt, and are answered."""
        for noticed in self._listening.push(pcm):
            if not noticed.text:
                continue
            interrupted, self._interrupted = self._speaking, self._speaking
            while not self._texts.empty():
                self._texts.get_nowait()
            await self._transcript(noticed.text, "human")
            if interrupted:
                self._texts.put_nowait("<silence>")
            self._texts.put_nowait(answer_to(noticed.text))

    async def speak(self, greeting: str) -> None:
        """Say what is to be said, until cancelled."""
        if greeting:
            self._texts.put_nowait(greeting)
        with suppress(ConnectionError):
            while True:
                text = await self._texts.get()
                self._speaking = True
                said = await self._sound(text)
                self._speaking = self._interrupted = False
                await self._transcript(said, "bot")

    async def _sound(self, text: str) -> str:
        """Send a text's audio; return what was said before somebody interrupted."""
        silence = text == "<silence>"
        pcm = bytes(2 * round(PAUSE_S * self._rate)) if silence else voice(text, self._rate)
        size = 2 * round(CHUNK_S * self._rate)
        for at in range(0, len(pcm), size):
            if self._interrupted:
                return "" if silence else text[: int(at / 2 / self._rate / CHARACTER_S)]
            chunk = pcm[at : at + size]
            data = b64encode(chunk if silence else _wav(chunk, self._rate)).decode()
            await self._ws.send_json({"type": "websocket_audio", "data": data})
            await asyncio.sleep(self._pace * (len(chunk) / 2 / self._rate - AHEAD_S))
        return text

    async def _transcript(self, text: str, sender: str) -> None:
        told = {"type": "websocket_transcript", "text": text, "sender": sender, "timestamp": time.time()}
        await self._ws.send_json(told)


def _wav(pcm: bytes, rate: int) -> bytes:
    """Return a whole file, as each piece of speech is one."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(pcm)
    return out.getvalue()
