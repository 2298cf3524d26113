"""The double's managed agent: hears the caller in tones, answers at the pace of speech, and stops when spoken over."""

from __future__ import annotations

import asyncio
import base64
import re
from typing import Any

from aiohttp import web
from cartesia_messages import agent_faults, parsed
from listening import CHARACTER_S, Listening, Noticed, answer_to, voice

PIECE_S = 0.04
"""Seconds of audio in a message."""


class AgentSocket:
    """One call."""

    def __init__(
        self, ws: web.WebSocketResponse, garbled: list[str], agent: str, *, pace: float, greeting: str = ""
    ) -> None:
        self._ws, self._garbled, self._agent, self._pace, self._greeting = ws, garbled, agent, pace, greeting
        self._listening: Listening | None = None
        self._rate = 0
        self._turn = 0
        self._answer: asyncio.Task[None] | None = None
        self._said = ""
        self._text = ""
        self.keys = ""
        self.variables: dict[str, Any] = {}
        self.tool_results: list[dict[str, Any]] = []

    async def run(self) -> None:
        """Converse until the client goes."""
        try:
            async for frame in self._ws:
                message = parsed(frame.data) if isinstance(frame.data, str) else {}
                faults = agent_faults(message)
                if faults:
                    self._garbled.extend(faults)
                    await self.send({"type": "error", "code": "invalid_event", "message": faults[0], "fatal": False})
                else:
                    await self._take(message)
        finally:
            await self._stop()

    async def send(self, message: dict[str, Any]) -> None:
        """Tell the client something."""
        await self._ws.send_json(message)

    async def _take(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "session_create":
            await self._create(message)
        elif self._listening is None:
            self._garbled.append(f"{kind} before session_ready is lost")
        elif kind == "audio_input":
            for noticed in self._listening.push(base64.b64decode(message["audio"])):
                await self._notice(noticed)
        elif kind == "dtmf_input":
            self.keys += message["digit"]
        else:
            self.tool_results.append(message)

    async def _create(self, message: dict[str, Any]) -> None:
        if self._listening is not None:
            self._garbled.append("session_create comes once")
        self._rate = int(message["audio"]["input_format"].split("_")[1])
        self._listening = Listening(self._rate)
        self.variables = message.get("dynamic_variables", {})
        ids = {"call_id": "ac_1", "agent_id": self._agent, "agent_version_id": "av_1"}
        await self.send({"type": "session_ready", **ids, "audio": message["audio"]})
        if self._greeting:
            self._answer = asyncio.create_task(self._say(self._greeting), name="agent greets")

    async def _notice(self, noticed: Noticed) -> None:
        if noticed.kind == "started":
            self._turn += 1
            await self._interrupt()
            await self.send({"type": "turn_started", "turn": self._turn, "role": "user", "start_time": 0.5})
            return
        await self._end("user", noticed.text, self._turn)
        if answer := answer_to(noticed.text):
            self._answer = asyncio.create_task(self._say(answer), name="agent answers")

    async def _say(self, text: str) -> None:
        """Speak a text: each word before its audio, as fast as it sounds."""
        self._turn += 1
        turn, self._text, self._said = self._turn, text, ""
        await self.send({"type": "turn_started", "turn": turn, "role": "assistant", "start_time": 1.0})
        due = asyncio.get_running_loop().time()
        for word in re.findall(r"\s*\S+\s*$|\s*\S+", text):
            delta = {"type": "turn_output_text_delta", "turn": turn, "role": "assistant", "text": word}
            await self.send(delta)
            self._said += word
            pcm, size = voice(word, self._rate), round(PIECE_S * self._rate) * 2
            for at in range(0, len(pcm), size):
                await self.send({"type": "audio_output", "audio": base64.b64encode(pcm[at : at + size]).decode()})
                due += PIECE_S * self._pace
                await asyncio.sleep(due - asyncio.get_running_loop().time())
        self._answer = None
        await self._end("assistant", text, turn)

    async def _interrupt(self) -> None:
        if self._answer is not None:
            turn = self._turn - 1
            await self._stop()
            await self.send({"type": "audio_output_clear"})
            await self._end("assistant", self._said, turn, interrupted=True)

    async def _end(self, role: str, text: str, turn: int, *, interrupted: bool = False) -> None:
        times = {"start_time": 1.0, "end_time": 1.0 + len(text) * CHARACTER_S, "tool_calls": []}
        ended = {"type": "turn_ended", "turn": turn, "role": role, "text": text, "interrupted": interrupted}
        await self.send({**ended, **times})

    async def _stop(self) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            answer.cancel()
            await asyncio.gather(answer, return_exceptions=True)
