"""One conversation of the Pipecat double: as a real pipeline's messages follow each other, so do these."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

from aiohttp import WSMsgType, web
from listening import Listening, answer_to, voice
from pipecat_messages import wrong_frame

from providers.pipecat.schema import frame_class

PIECE_S = 0.04
"""Seconds of audio in one frame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a server talks."""

    pace: float = 0.2
    """Seconds that a second of speech takes."""
    sample_rate: int = 24_000
    rtvi: bool = True
    """Without it, nothing is told but audio and interruptions."""
    ready_after_s: float = 0.0
    """From ``client-ready`` to ``bot-ready``."""
    greeting: str = ""
    strays: bool = False
    """An interruption does not reach the piece of audio that is on its way, which is told of as of an answer."""


class PipecatCall:
    """Until either side hangs up."""

    def __init__(self, ws: web.WebSocketResponse, manner: Manner) -> None:
        self._ws, self._manner = ws, manner
        self._listening = Listening(16_000)
        self._answer: asyncio.Task[None] | None = None
        self._speaks = False
        self._segment = 0
        self.garbled: list[str] = []
        self.digits: list[str] = []
        self.ended = False
        """The client has ended it in the vendor's way."""

    async def run(self) -> None:
        """Talk."""
        if self._manner.greeting:
            self._begin(self._manner.greeting, written=False)
        try:
            async for message in self._ws:
                if message.type is not WSMsgType.BINARY:
                    self.garbled.append("text")
                elif wrong := wrong_frame(message.data):
                    self.garbled.append(wrong)
                else:
                    await self._take(frame_class().FromString(message.data))
        finally:
            await self._silence()

    async def _take(self, frame: Any) -> None:
        match frame.WhichOneof("frame"):
            case "audio":
                for noticed in self._listening.push(frame.audio.audio):
                    await (self._hush_for_caller() if noticed.kind == "started" else self._understood(noticed.text))
            case "interruption":
                await self._interrupted()
            case "message" if self._manner.rtvi:
                message = json.loads(frame.message.data)
                await self._told(message["type"], message["id"], message["data"])
            case _:
                pass

    async def report(self, *, fatal: bool) -> None:
        """Tell of an error."""
        await self._tell("error", error="caller said something private", fatal=fatal)

    async def _told(self, kind: str, id_: str, data: dict[str, Any]) -> None:
        match kind:
            case "client-ready":
                await asyncio.sleep(self._manner.ready_after_s)
                about = {"library": "pipecat-ai", "library_version": "1.14.0"}
                await self._tell("bot-ready", id=id_, version="2.2.0", about=about)
            case "send-text":
                await self._interrupted()
                text = data["content"]
                await self._tell("user-input", text=text, input_type="chat", timestamp="now", final=True, msg_id=id_)
                self._begin(answer_to(text))
            case "dtmf":
                self.digits += data["buttons"]
            case _:
                self.ended = True
                await self._ws.close()

    async def _hush_for_caller(self) -> None:
        await self._interrupted("user-started-speaking")

    async def _understood(self, text: str) -> None:
        if text:
            said: dict[str, Any] = {"text": text, "user_id": "caller", "timestamp": "now", "final": True}
            await self._tell("user-input", input_type="transcription", **said)
            await self._tell("user-transcription", **said)
            await self._tell("user-llm-text", text=text)
        await self._tell("user-stopped-speaking")
        if text:
            self._begin(answer_to(text))

    async def _interrupted(self, *told: str) -> None:
        await self._silence()
        frame = frame_class()()
        frame.interruption.name = "InterruptionFrame#1"
        await self._ws.send_bytes(frame.SerializeToString())
        for kind in (*told, "bot-interrupted"):
            await self._tell(kind)
        if self._speaks:
            self._speaks = False
            await self._tell("bot-stopped-speaking")
            if self._manner.strays:
                await self._sound(voice("x", self._manner.sample_rate)[:1920])
                await self._tell("bot-started-speaking")
                await self._tell("bot-stopped-speaking")

    def _begin(self, text: str, *, written: bool = True) -> None:
        self._answer = asyncio.create_task(self._speak(text, written=written), name="answer")

    async def _silence(self) -> None:
        if self._answer is not None:
            self._answer.cancel()
            await asyncio.gather(self._answer, return_exceptions=True)

    async def _speak(self, text: str, *, written: bool) -> None:
        if written:
            await self._write(text)
        self._segment += 1
        segment = {"text": text, "output_type": "sentence", "segment_id": self._segment, "will_be_spoken": True}
        await self._tell("bot-tts-started")
        pcm = voice(text, self._manner.sample_rate)
        size = round(PIECE_S * self._manner.sample_rate) * 2
        now = asyncio.get_running_loop().time
        due = now()
        for start in range(0, len(pcm), size):
            await self._sound(pcm[start : start + size].ljust(size, b"\0"))
            if not start:  # the news is a little later than the sound
                self._speaks = True
                await self._tell("bot-started-speaking")
                await self._tell("bot-output", spoken_status="new", **segment)
            due += PIECE_S * self._manner.pace
            await asyncio.sleep(max(0.0, due - now()))
        await self._tell("bot-output", spoken_status="completed", **segment)
        self._speaks = False
        await self._tell("bot-stopped-speaking")

    async def _write(self, text: str) -> None:
        await self._tell("bot-llm-started")
        for number, word in enumerate(text.split()):
            await self._tell("bot-llm-text", text=f" {word}" if number else word)
        await self._tell("bot-llm-stopped")

    async def _sound(self, pcm: bytes) -> None:
        frame = frame_class()()
        frame.audio.name, frame.audio.audio = "OutputAudioRawFrame#1", pcm
        frame.audio.sample_rate, frame.audio.num_channels = self._manner.sample_rate, 1
        await self._ws.send_bytes(frame.SerializeToString())

    async def _tell(self, kind: str, **data: Any) -> None:
        if not self._manner.rtvi:
            return
        message = {"label": "rtvi-ai", "type": kind} | ({"id": data.pop("id")} if "id" in data else {})
        frame = frame_class()()
        frame.message.data = json.dumps(message | ({"data": data} if data else {}))
        await self._ws.send_bytes(frame.SerializeToString())
