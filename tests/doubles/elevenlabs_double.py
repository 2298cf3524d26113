"""ElevenLabs on loopback: agents by websocket, public or by signed URL, and a voice with and without times."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable

from aiohttp import web
from elevenlabs_agent import PIECE_S, Agent, Conversation
from elevenlabs_messages import SPEECH, VOICE, wrong_fields
from listening import CHARACTER_S, voice

from providers.conformance.double import KEY, Double

AGENT, PUBLIC_AGENT, VOICE_ID = "agent_private", "agent_public", "voice_1"
SIGNATURE = "cvtkn_double-71c0a9e2"
"""As good as a key: no log may ever show it."""
MODELS = frozenset({"a_model"})
_CONVERSATION = "/v1/convai/conversation"


class ElevenLabsDouble(Double):
    """One account with two agents and a voice."""

    def __init__(self) -> None:
        super().__init__()
        self.agent = Agent()
        self.signed_at = ""
        """Where signed URLs lead, if not here."""
        self.breaks_after: int | None = None
        """Pieces of the next text after which the connection breaks, once."""

    def key_of(self, request: web.Request) -> str:
        """Return the key in the vendor's header; a conversation is let in by its agent or its URL instead."""
        if request.path == _CONVERSATION:
            signed = request.query.get("conversation_signature") == SIGNATURE
            return KEY if signed or request.query.get("agent_id") == PUBLIC_AGENT else ""
        return request.headers.get("xi-api-key", "")

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """Return the vendor's paths."""
        return [
            web.get(f"{_CONVERSATION}/get-signed-url", self._signed_url),
            web.get(_CONVERSATION, self._talk),
            web.get("/v1/voices/{voice}", self._voice),
            web.post("/v1/text-to-speech/{voice}/stream", self._speak),
            web.post("/v1/text-to-speech/{voice}/stream/with-timestamps", self._speak_with_times),
        ]

    async def _signed_url(self, request: web.Request) -> web.StreamResponse:
        agent = request.query.get("agent_id", "")
        if agent not in {AGENT, PUBLIC_AGENT}:
            return web.json_response({"detail": {"status": "agent_not_found"}}, status=404)
        query = f"agent_id={agent}&conversation_signature={SIGNATURE}"
        return web.json_response({"signed_url": f"{self.signed_at or self.ws_url}{_CONVERSATION}?{query}"})

    async def _talk(self, request: web.Request) -> web.StreamResponse:
        ws = await self.accept(request)
        await Conversation(ws, self.agent, self.garbled.append).hold()
        return ws

    async def _voice(self, request: web.Request) -> web.StreamResponse:
        known = request.match_info["voice"] == VOICE_ID
        return web.json_response({"voice_id": VOICE_ID} if known else {}, status=200 if known else 404)

    async def _asked(self, request: web.Request) -> tuple[str, int]:
        """Return the text to speak, and the rate to speak it at."""
        body = await request.json()
        self.garbled += wrong_fields(body, SPEECH, "speech")
        self.garbled += wrong_fields(body.get("voice_settings") or {}, VOICE, "voice")
        if request.match_info["voice"] != VOICE_ID:
            raise web.HTTPNotFound
        if body.get("model_id") not in MODELS:
            raise web.HTTPBadRequest
        kind, rate = request.query["output_format"].split("_")
        if kind != "pcm":
            raise web.HTTPUnprocessableEntity
        return body["text"], int(rate)

    async def _speak(self, request: web.Request) -> web.StreamResponse:
        text, rate = await self._asked(request)
        response = web.StreamResponse(headers={"Content-Type": "audio/pcm"})
        await response.prepare(request)
        pcm = voice(text, rate)
        for start in range(0, len(pcm), 4_001):  # samples are cut in two
            await response.write(pcm[start : start + 4_001])
        return response

    def _break(self, request: web.Request) -> None:
        self.breaks_after = None
        if request.transport is not None:
            request.transport.abort()
            self.broken += 1

    async def _speak_with_times(self, request: web.Request) -> web.StreamResponse:
        text, rate = await self._asked(request)
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        pcm, size = voice(text, rate), round(PIECE_S * rate) * 2
        for start in range(0, len(pcm), size):
            if self.breaks_after == start // size:
                self._break(request)
            piece = pcm[start : start + size]
            first, last = (round(at / 2 / rate / CHARACTER_S) for at in (start, start + size))
            times = [round(CHARACTER_S * at, 3) for at in range(first, min(last, len(text)) + 1)]
            alignment = {
                "characters": list(text[first:last]),
                "character_start_times_seconds": times[:-1],
                "character_end_times_seconds": times[1:],
            }
            body = {"audio_base64": base64.b64encode(piece).decode(), "alignment": alignment}
            await response.write(json.dumps({**body, "normalized_alignment": alignment}).encode() + b"\n\n")
        return response
