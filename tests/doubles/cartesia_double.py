"""Cartesia on loopback, by its documentation: voice, both kinds of ear, managed agents, access tokens."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web
from cartesia_agent import AgentSocket
from cartesia_ears import ManualEar, TurnsEar
from cartesia_messages import stt_faults
from cartesia_voice import VoiceSocket

from providers.conformance.double import KEY, Double

VERSION = "2026-08-14"
VOICE = "a0e99841-438c-4a64-b679-ae501e7d6091"
AGENT = "agent_Fo7pKNBUwLZxrTd6jvhpaE"


class CartesiaDouble(Double):
    """Speaks ``speed`` times faster than it sounds; its agent at the pace of speech, or ``pace`` times that."""

    def __init__(self, *, speed: float = 50.0, pace: float = 1.0) -> None:
        super().__init__()
        self.speed, self.pace = speed, pace
        self.greeting = ""
        """Of the agent."""
        self.refused: int | None = None
        """The status with which the voice refuses every text."""
        self.voices: list[VoiceSocket] = []
        self.agents: list[AgentSocket] = []
        self.tokens: list[str] = []

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """Return the vendor's paths."""
        return [
            web.get("/tts/websocket", self._voice),
            web.get("/stt/websocket", self._ear),
            web.get("/stt/turns/websocket", self._turns),
            web.get("/v1/agents/websocket/{agent}", self._agent),
            web.get("/voices", self._voices),
            web.post("/access-token", self._token),
        ]

    def key_of(self, request: web.Request) -> str:
        """Return the key, sent in either of two headers; a token that was given stands for it."""
        sent = request.headers.get("X-API-Key") or super().key_of(request) or request.query.get("access_token", "")
        return KEY if sent in self.tokens else sent

    async def _voice(self, request: web.Request) -> web.StreamResponse:
        self._check_version(request)
        ws = await self.accept(request)
        voice = VoiceSocket(ws, self.garbled, speed=self.speed, refused=self.refused)
        self.voices.append(voice)
        await voice.run()
        return ws

    async def _ear(self, request: web.Request) -> web.StreamResponse:
        self._check_version(request)
        self.garbled.extend(stt_faults(request.query, ["language", "max_silence_duration_secs", "min_volume"]))
        ws = await self.accept(request)
        await ManualEar(ws, self.garbled, int(request.query["sample_rate"])).run()
        return ws

    async def _turns(self, request: web.Request) -> web.StreamResponse:
        self._check_version(request)
        self.garbled.extend(stt_faults(request.query, [f"turn_{name}" for name in ("end_threshold", "end_timeout_ms")]))
        ws = await self.accept(request)
        await TurnsEar(ws, self.garbled, int(request.query["sample_rate"])).run()
        return ws

    async def _agent(self, request: web.Request) -> web.StreamResponse:
        self._check_version(request)
        if request.match_info["agent"] != AGENT:
            return web.json_response({"error_code": "agent_not_found", "title": "Not found"}, status=404)
        ws = await self.accept(request)
        agent = AgentSocket(ws, self.garbled, AGENT, pace=self.pace, greeting=self.greeting)
        self.agents.append(agent)
        await agent.run()
        return ws

    async def _voices(self, request: web.Request) -> web.StreamResponse:
        self._check_version(request)
        found = {"id": VOICE, "name": "Tones", "description": "", "is_owner": False, "is_public": True}
        more = {"created_at": "2026-01-01T00:00:00Z", "language": "en"}
        page = [] if "starting_after" in request.query else [{**found, **more}]  # clients ask until a page is empty
        return web.json_response({"data": page, "has_more": False})

    async def _token(self, request: web.Request) -> web.StreamResponse:
        wanted = await request.json()
        if not set(wanted) <= {"expires_in", "grants"} or not set(wanted.get("grants") or {}) <= {
            "tts",
            "stt",
            "agent",
        }:
            self.garbled.append("access-token: a field that there is not")
        self.tokens.append(f"token-{len(self.tokens)}")
        return web.json_response({"token": self.tokens[-1]})

    def _check_version(self, request: web.Request) -> None:
        version = request.headers.get("Cartesia-Version") or request.query.get("cartesia_version")
        if version != VERSION:
            self.garbled.append(f"the version of the API is {VERSION}, not {version}")
