"""One call of the Vapi double: an assistant that hears tones, answers in tones in real time, and tells of all of it."""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from listening import Listening, Noticed, answer_to, voice

DEFAULT_MESSAGES = frozenset(
    {"conversation-update", "model-output", "speech-update", "status-update", "transcript"}
) | {
    "user-interrupted",
    "voice-input",
    "assistant.started",
    "hang",
}
"""What is told to clients who ask for nothing else."""
FRAME_S = 0.02


@dataclass(slots=True)
class Line:
    """What is to be said: by the model, or given to the assistant by ``say``."""

    text: str
    source: str
    ends_call: bool = False


@dataclass(slots=True)
class VapiCall:
    """A call from its creation to its end."""

    body: dict[str, Any]
    wrapped: bool = False
    """Messages come as ``{"message": …}``."""
    hums: bool = False
    """Silence is sent between answers, too."""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "queued"
    history: list[dict[str, Any]] = field(default_factory=list)
    heard_bytes: int = 0
    heard_words: list[str] = field(default_factory=list)
    muted: bool = False
    _lines: deque[Line] = field(default_factory=deque)
    _turn: int = -1
    _cut: bool = False
    _speaks: bool = False
    _wake: asyncio.Event = field(default_factory=asyncio.Event)
    _send: Callable[[Any], Awaitable[None]] | None = None

    @property
    def overrides(self) -> dict[str, Any]:
        """What is different about the assistant in this call."""
        found = self.body.get("assistantOverrides") or {}
        return {**(self.body.get("assistant") or {}), **found}

    @property
    def rate(self) -> int:
        """Hz of its audio."""
        return int(self.body["transport"]["audioFormat"]["sampleRate"])

    async def hold(self, ws: web.WebSocketResponse, take: Callable[[VapiCall, str], Awaitable[None]]) -> None:
        """Be on the line until somebody hangs up; ``take`` is given the client's messages."""

        async def send(message: Any) -> None:
            if not ws.closed:
                await (ws.send_bytes(message) if isinstance(message, bytes) else ws.send_json(message))

        self._send, self.status = send, "in-progress"
        await self.tell("status-update", status="in-progress")
        await self.tell("assistant.started", newAssistant={})
        first, mode = self.overrides.get("firstMessage"), self.overrides.get("firstMessageMode")
        if first and mode != "assistant-waits-for-user":
            self.say(Line(first, "model"))
        ear = Listening(self.rate)
        mouth = asyncio.create_task(self._speak(), name="assistant speaks")
        try:
            async for message in ws:
                if isinstance(message.data, bytes):
                    self.heard_bytes += len(message.data)
                    for noticed in ear.push(message.data):
                        await self._notice(noticed)
                else:
                    await take(self, message.data)
                if self.status == "ended":
                    break
        finally:
            mouth.cancel()
            await asyncio.gather(mouth, return_exceptions=True)
            self._send = None

    async def end(self) -> None:
        """Hang up."""
        if self.status != "ended":
            self.status = "ended"
            await self.tell("status-update", status="ended", endedReason="customer-ended-call")

    def say(self, line: Line, *, instead: bool = False) -> None:
        """Say something next, or at once in the place of everything else."""
        if instead:
            self._lines.clear()
            self._cut = self._speaks
        self._lines.append(line)
        self._wake.set()

    async def tell(self, kind: str, **fields: Any) -> None:
        """Send a message, if the client asked for its kind."""
        wanted = self.overrides.get("clientMessages", DEFAULT_MESSAGES)
        if self._send is None or kind not in wanted:
            return
        message = {"type": kind, **fields}
        await self._send({"message": message} if self.wrapped else message)

    async def _notice(self, noticed: Noticed) -> None:
        if noticed.kind == "started":
            await self.tell("speech-update", role="user", status="started", turn=self._turn + 1)
            self._lines.clear()
            if self._speaks:
                self._cut = True
                await self.tell("user-interrupted", turnId=str(self._turn))
            return
        await self.tell("speech-update", role="user", status="stopped", turn=self._turn + 1)
        if not noticed.text:
            return
        self.heard_words.append(noticed.text)
        self.history.append({"role": "user", "content": noticed.text})
        partial = noticed.text.split(" ")[0]
        await self.tell("transcript", role="user", transcriptType="partial", transcript=partial)
        await self.tell("transcript", role="user", transcriptType="final", transcript=noticed.text)
        self.say(Line(answer_to(noticed.text), "model"))

    async def _speak(self) -> None:
        """Say line after line, in real time."""
        now = asyncio.get_running_loop().time
        while True:
            if not self._lines:
                self._wake.clear()
                try:
                    await asyncio.wait_for(self._wake.wait(), FRAME_S if self.hums else None)
                except TimeoutError:
                    await self._play(bytes(round(self.rate * FRAME_S) * 2))
                continue
            line, self._cut, self._speaks = self._lines.popleft(), False, True
            self._turn += 1
            pcm, size = voice(line.text, self.rate), round(self.rate * FRAME_S) * 2
            if line.source == "model":
                await self.tell("model-output", turnId=str(self._turn), output={"content": line.text})
            await self.tell("voice-input", input=line.text)
            await self.tell("speech-update", role="assistant", status="started", turn=self._turn)
            await self.tell("assistant.speechStarted", text=line.text, turn=self._turn, source=line.source)
            due, said = now(), 0
            while said < len(pcm) and not self._cut:
                await self._play(pcm[said : said + size])
                said, due = said + size, due + FRAME_S
                await asyncio.sleep(max(0.0, due - now()))
            await self._finish(line, said / len(pcm) if pcm else 1.0)

    async def _finish(self, line: Line, share: float) -> None:
        said = line.text[: round(len(line.text) * min(1.0, share))]
        self._speaks = False
        self.history.append({"role": "assistant", "content": said})
        await self.tell("transcript", role="assistant", transcriptType="final", transcript=said)
        await self.tell("speech-update", role="assistant", status="stopped", turn=self._turn)
        await self.tell("conversation-update", messagesOpenAIFormatted=self.history)
        if line.ends_call:
            await self.end()

    async def _play(self, pcm: bytes) -> None:
        if self._send is not None:
            await self._send(bytes(len(pcm)) if self.muted else pcm)
