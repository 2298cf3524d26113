"""One conversation of ElevenLabs' double: an agent that hears tones, and keeps its own clock of what it has said."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web
from elevenlabs_messages import wrong_in
from listening import CHARACTER_S, Listening, answer_to, voice

from voicebackend.codecs.codec import Encoding
from voicebackend.codecs.g711 import G711

PIECE_S = 0.25
"""Seconds of audio in one message."""
FASTER = 4.0
"""Times real time at which they are sent."""
TOOL = "tool"
"""Said by a caller, has the agent ask the client for one."""


@dataclass(slots=True)
class Agent:
    """How the agent is set up, and what it was told by every client."""

    hears: str = "pcm_16000"
    speaks: str = "pcm_16000"
    first_message: str = ""
    ends: str = "final"
    """How it tells that an answer is over: ``final``, ``complete`` or not at all, ``silence``."""
    counts: str = "answers"
    """What its event ids count: ``answers`` or ``pieces``."""
    aligned: bool = True
    """It tells when characters sound."""
    hangs_up_on: str = ""
    """What it ends the conversation on, if it is said or told."""
    tells_format: str = ""
    """What it says that it speaks, if that is not so."""
    refuses: str = ""
    """The type of the error by which it refuses every conversation."""
    begun: list[dict[str, Any]] = field(default_factory=list)
    contexts: list[str] = field(default_factory=list)
    pongs: list[int] = field(default_factory=list)
    tool_results: list[dict[str, Any]] = field(default_factory=list)
    corrections: list[str] = field(default_factory=list)


class Conversation:
    """One client's."""

    def __init__(self, ws: web.WebSocketResponse, agent: Agent, garbled: Callable[[str], None]) -> None:
        self._ws, self._agent, self._garbled = ws, agent, garbled
        self._hears, self._g711_in = _format(agent.hears)
        self._speaks, self._g711_out = _format(agent.speaks)
        self._ear = Listening(self._hears)
        self._clock = asyncio.get_running_loop().time
        self._event = 0
        self._saying = ""
        self._begun_at = self._until = 0.0
        self._mouth: asyncio.Task[None] | None = None

    async def hold(self) -> None:
        """Talk until the client hangs up."""
        try:
            async for message in self._ws:
                if message.type is WSMsgType.TEXT:
                    await self._take(json.loads(message.data))
                else:
                    self._garbled("a binary message")
        finally:
            await self._hush()

    async def _take(self, message: dict[str, Any]) -> None:
        for wrong in wrong_in(message):
            self._garbled(wrong)
        if "user_audio_chunk" in message:
            await self._hear(base64.b64decode(message["user_audio_chunk"]))
            return
        agent = self._agent
        match message.get("type"):
            case "conversation_initiation_client_data":
                await self._begin(message)
            case "contextual_update":
                agent.contexts.append(message["text"])
            case "pong":
                agent.pongs.append(message["event_id"])
            case "client_tool_result":
                agent.tool_results.append(message)
            case "user_message":
                await self._interrupt()
                await self._answer(message["text"])

    async def _begin(self, message: dict[str, Any]) -> None:
        agent = self._agent
        agent.begun.append(message)
        if agent.refuses:
            await self._tell("error", "error_event", {"code": 1008, "error_type": agent.refuses, "message": "no"})
            await self._ws.close(code=1008)
            return
        formats = {
            "agent_output_audio_format": agent.tells_format or agent.speaks,
            "user_input_audio_format": agent.hears,
        }
        body = {"conversation_id": "conv_1", **formats}
        await self._tell("conversation_initiation_metadata", "conversation_initiation_metadata_event", body)
        await self._tell("ping", "ping_event", {"event_id": 1, "ping_ms": None})
        override = message.get("conversation_config_override", {}).get("agent", {})
        self._say(override.get("first_message", agent.first_message))

    async def _hear(self, audio: bytes) -> None:
        for noticed in self._ear.push(self._g711_in.decode(audio) if self._g711_in else audio):
            if noticed.kind == "started":
                await self._interrupt()
            else:
                await self._understand(noticed.text)

    async def _understand(self, text: str) -> None:
        self._event += 1
        body = {"user_transcript": text, "event_id": self._event}
        await self._tell("tentative_user_transcript", "tentative_user_transcription_event", body)
        await self._tell("user_transcript", "user_transcription_event", body)
        if TOOL in text.split():
            call = {"tool_name": "look_up", "tool_call_id": f"call_{self._event}", "parameters": {"of": "it"}}
            await self._tell("client_tool_call", "client_tool_call", {**call, "event_id": self._event})
        await self._answer(text)

    async def _answer(self, text: str) -> None:
        if text and text == self._agent.hangs_up_on:
            await self._ws.close()
        else:
            self._say(answer_to(text))

    def _say(self, text: str) -> None:
        if text:
            self._event += 1
            self._saying, self._begun_at = text, self._clock()
            self._until = self._begun_at + len(text) * CHARACTER_S
            self._mouth = asyncio.create_task(self._speak(text), name="agent speaks")

    async def _speak(self, text: str) -> None:
        agent = self._agent
        await self._tell("agent_response", "agent_response_event", {"agent_response": text, "event_id": self._event})
        pcm, size = voice(text, self._speaks), round(PIECE_S * self._speaks) * 2
        for start in range(0, len(pcm), size):
            piece = pcm[start : start + size]
            body = {"audio_base_64": self._encoded(piece), "event_id": self._event}
            if agent.aligned:
                body["alignment"] = _alignment(text, start / 2 / self._speaks)
            if agent.ends == "final" and start + size >= len(pcm):
                body["is_final"] = True
            await self._tell("audio", "audio_event", body)
            self._event += agent.counts == "pieces"
            await asyncio.sleep(PIECE_S / FASTER)
        if agent.ends == "complete":
            await self._tell("agent_response_complete", "agent_response_complete_event", {"event_id": self._event})

    def _encoded(self, pcm: bytes) -> str:
        audio = b"".join(self._g711_out.encode(pcm)) if self._g711_out else pcm
        return base64.b64encode(audio).decode()

    async def _interrupt(self) -> None:
        """Fall silent if something is still being heard, by the agent's own clock."""
        await self._hush()
        now = self._clock()
        if now >= self._until:
            return
        self._until = now
        await self._tell("interruption", "interruption_event", {"event_id": self._event})
        heard = self._saying[: round((now - self._begun_at) / CHARACTER_S)]
        self._agent.corrections.append(heard)
        body = {"original_agent_response": self._saying, "corrected_agent_response": heard, "event_id": self._event}
        await self._tell("agent_response_correction", "agent_response_correction_event", body)
        late = {"audio_base_64": self._encoded(voice("late", self._speaks)), "event_id": self._event}
        await self._tell("audio", "audio_event", late)  # was on its way; nobody may hear it

    async def _hush(self) -> None:
        if self._mouth is not None:
            self._mouth.cancel()
            await asyncio.gather(self._mouth, return_exceptions=True)
            self._mouth = None

    async def _tell(self, kind: str, name: str, body: dict[str, Any]) -> None:
        if not self._ws.closed:
            await self._ws.send_json({"type": kind, name: body})


def _format(name: str) -> tuple[int, G711 | None]:
    kind, rate = name.split("_")
    return int(rate), G711(Encoding.MULAW) if kind == "ulaw" else None


def _alignment(text: str, from_s: float) -> dict[str, list[Any]]:
    """Return when the characters of one piece sound, from its beginning; the vendor writes no fractions."""
    first, last = round(from_s / CHARACTER_S), round((from_s + PIECE_S) / CHARACTER_S)
    characters = list(text[first:last])
    starts = [round(1000 * CHARACTER_S * at) for at in range(len(characters))]
    return {
        "chars": characters,
        "char_start_times_ms": starts,
        "char_durations_ms": [round(1000 * CHARACTER_S)] * len(characters),
    }
