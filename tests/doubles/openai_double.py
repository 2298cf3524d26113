"""OpenAI on loopback: models, transcriptions, speech and the Realtime API, for callers who speak in tones."""

from __future__ import annotations

import asyncio
import io
import json
import wave
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any

from aiohttp import BodyPartReader, web
from listening import voice
from openai_realtime import RealtimeSession

from providers.conformance.double import Double
from providers.mock.tones import spoken

SPEECH_RATE = 24_000
MODELS = ("hear-1", "hear-whole-1", "speak-1", "talk-1")
"""``hear-whole-1`` cannot stream, and ignores that it is asked to."""
_SHORTEST_S = 0.1
_LONGEST_TEXT = 4096
_PIECE_BYTES = 4_801
"""Odd, so that samples are cut in two."""
_FORM = {"file", "model", "language", "prompt", "response_format", "stream", "temperature"}
_SPEECH = {"model", "voice", "input", "response_format", "instructions", "speed", "stream_format"}


class OpenAiDouble(Double):
    """Serves below ``/v1``, as the vendor does; ``sessions`` are the realtime conversations that there were."""

    def __init__(self) -> None:
        super().__init__()
        self.sessions: list[RealtimeSession] = []
        self.asked: list[dict[str, Any]] = []
        """Forms of transcriptions, without the file, and bodies of speech."""
        self.spoken_bytes = 0
        """Of speech that was sent."""
        self.cut_after: int | None = None
        """Pieces of speech after which the connection breaks."""
        self.to_break = 0
        """Of the next requests to hear or speak, those whose connection breaks in the middle."""
        self.pace = 10.0
        """How many times faster than they play answers are made."""

    @property
    def api_url(self) -> str:
        """Where it is, with the version."""
        return f"{self.url}/v1"

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """Return the paths that there are doubles of."""
        return [
            web.get("/v1/models", self._models),
            web.post("/v1/audio/transcriptions", self._transcribe),
            web.post("/v1/audio/speech", self._speak),
            web.get("/v1/realtime", self._realtime),
        ]

    async def _models(self, request: web.Request) -> web.StreamResponse:
        del request
        found = [{"id": name, "object": "model", "created": 1, "owned_by": "double"} for name in MODELS]
        return web.json_response({"object": "list", "data": found})

    async def _transcribe(self, request: web.Request) -> web.StreamResponse:
        form = await _form(request)
        file = form.pop("file", b"")
        self.asked.append({name: value.decode() for name, value in form.items()})
        if not file or "model" not in form or form.keys() - _FORM:
            return self._refused("transcriptions", "form")
        pcm, rate = _read(file)
        if len(pcm) < 2 * rate * _SHORTEST_S:
            return self._refused("transcriptions", "audio_too_short")
        if self._breaks():
            _abort(request)
        text = (await asyncio.to_thread(spoken, pcm, rate)).strip()
        usage = {"type": "duration", "seconds": round(len(pcm) / 2 / rate)}
        if form.get("stream") != b"true" or form["model"] == b"hear-whole-1":
            return web.json_response({"text": text, "usage": usage})
        return await _streamed(request, _transcript_events(text))

    async def _speak(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body)
        wrong = not all(isinstance(body.get(name), str) for name in ("model", "voice", "input"))
        if wrong or body.keys() - _SPEECH or not 0 < len(body["input"]) <= _LONGEST_TEXT:
            return self._refused("speech", "body")
        if body.get("response_format") != "pcm":
            return self._refused("speech", "response_format")
        pcm = await asyncio.to_thread(voice, body["input"], SPEECH_RATE)
        response = web.StreamResponse(headers={"Content-Type": "audio/pcm"})
        await response.prepare(request)
        cut_after = len(pcm) // _PIECE_BYTES // 2 if self._breaks() else self.cut_after
        with suppress(ConnectionError):
            for index, start in enumerate(range(0, len(pcm), _PIECE_BYTES)):
                if index == cut_after:
                    _abort(request)
                await response.write(pcm[start : start + _PIECE_BYTES])
                self.spoken_bytes += _PIECE_BYTES
            await response.write_eof()
        return response

    async def _realtime(self, request: web.Request) -> web.StreamResponse:
        if not request.query.get("model"):
            return self._refused("realtime", "model")
        ws = await self.accept(request)
        session = RealtimeSession(ws.send_json, self.garbled, model=request.query["model"], pace=self.pace)
        self.sessions.append(session)
        try:
            await session.begin()
            async for message in ws:
                await session.hear(message.data)
        finally:
            session.end()
        return ws

    def _breaks(self) -> bool:
        """Tell whether this request is one of those whose connection breaks."""
        found = self.to_break > 0
        self.to_break -= found
        self.broken += found
        return found

    def _refused(self, where: str, what: str) -> web.Response:
        self.garbled.append(f"{where}: {what}")
        error = {"message": "not so", "type": "invalid_request_error", "param": what, "code": "invalid_value"}
        return web.json_response({"error": error}, status=400)


def _abort(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()


async def _form(request: web.Request) -> dict[str, bytes]:
    """Return a form's parts; aiohttp's own reader leaves files open where a client gives up."""
    found = {}
    async for part in await request.multipart():
        assert isinstance(part, BodyPartReader)
        found[part.name or ""] = bytes(await part.read(decode=True))
    return found


def _read(data: bytes) -> tuple[bytes, int]:
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        return file.readframes(file.getnframes()), file.getframerate()


def _transcript_events(text: str) -> Iterator[dict[str, Any]]:
    words = text.split(" ")
    for index, word in enumerate(words):
        yield {"type": "transcript.text.delta", "delta": word if index == 0 else f" {word}"}
    usage = {"type": "tokens", "input_tokens": 14, "output_tokens": len(words), "total_tokens": 14 + len(words)}
    yield {"type": "transcript.text.done", "text": text, "usage": usage}


async def _streamed(request: web.Request, events: Iterable[dict[str, Any]]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    with suppress(ConnectionError):
        for event in events:
            await response.write(f"data: {json.dumps(event)}\n\n".encode())
            await asyncio.sleep(0)
        await response.write_eof()
    return response
