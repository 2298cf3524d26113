"""One conversation with an agent, over its websocket."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

from providers.elevenlabs import codec
from providers.elevenlabs.answers import Answers, Said
from providers.elevenlabs.codec import Answer, Answered, Caller, Failed, Interrupted, Message, Ping, Speech, ToolCall
from providers.elevenlabs.formats import Uplink
from providers.engines.vad.hearing import Hearing
from providers.remote.outbox import Outbox
from providers.remote.socket import RemoteSocket
from voicebackend.errors import ConnectionFailed, ConnectionTimeout, PipelineError, VoiceBackendError
from voicebackend.interfaces import S2sEvent, S2sStream

logger = logging.getLogger(__name__)

HANGS_UP_S = 1.0
"""Seconds after a failure to send in which the reason may come."""


class AgentStream(S2sStream):
    """Owns its socket, which is open and has told the conversation's formats."""

    def __init__(self, socket: RemoteSocket, *, uplink: Uplink, answers: Answers, hearing: Hearing) -> None:
        self._socket, self._uplink, self._answers, self._hearing = socket, uplink, answers, hearing
        self._outbox: Outbox[Said] = Outbox()
        self._clock = asyncio.get_running_loop().time
        self._spoken_over: int | None = None
        """The answer begun last when the caller began to speak, if there was one."""
        self._hung_up = False
        self._reader = asyncio.create_task(self._read(), name="elevenlabs-reader")

    async def push(self, pcm: bytes) -> None:
        """Send caller audio, 16 kHz, and tell when the caller begins to speak."""
        for event in await self._hearing.push(pcm):
            if event.kind == "speech_started":
                self._spoken_over = self._answers.number or None
            self._outbox.put_now(Said(event))
        if audio := self._uplink.push(pcm):
            await self._send(codec.hear(audio))

    async def events(self) -> AsyncIterator[S2sEvent]:
        """Yield what comes back until the conversation ends.

        Raises:
            VoiceBackendError: it broke, or the vendor ended it for a reason of its own.

        """
        async for said in self._outbox.read():
            yield said.event

    async def interrupt(self, played_ms: float) -> None:
        """Cut the answer that the caller spoke over; what the agent remembers of it is up to the agent's own clock."""
        del played_ms
        over = self._answers.number if self._spoken_over is None else self._spoken_over
        self._spoken_over = None
        self._outbox.take_back(lambda said: said.answer == over and said.event.kind != "turn_done")
        if over == self._answers.number:
            for said in self._answers.cut():
                self._outbox.put_now(said)

    async def tell(self, text: str) -> None:
        """Have the agent answer a text as if the caller had said it."""
        self._answers.asked()
        await self._send(codec.tell(text))

    async def aclose(self) -> None:
        """Hang up."""
        self._outbox.close()
        self._reader.cancel()
        try:
            await asyncio.gather(self._reader, return_exceptions=True)
        finally:
            await self._socket.aclose()

    async def _send(self, message: codec.Json) -> None:
        """Send something, unless the agent has hung up: that is told by ``events`` alone."""
        try:
            await self._socket.send(message)
        except ConnectionFailed:
            await asyncio.wait((self._reader,), timeout=HANGS_UP_S)
            if not self._hung_up:
                raise

    async def _read(self) -> None:
        try:
            while (text := await self._next()) is not None:
                if text:
                    await self._take(codec.read(self._socket.parsed(text)))
        except VoiceBackendError as error:
            self._outbox.end(error)
        except Exception:
            logger.exception("the conversation broke")
            self._outbox.end(PipelineError("elevenlabs.talk"))
        else:
            self._hung_up = True
            self._outbox.end()

    async def _next(self) -> str | None:
        """Return the next message, None at the end, or an empty one once an answer has ended by silence."""
        due = self._answers.due
        try:
            found = await self._socket.receive(timeout_s=None if due is None else max(0.0, due - self._clock()))
        except ConnectionTimeout:
            await self._say(self._answers.end())
            return ""
        return found.decode(errors="replace") if isinstance(found, bytes) else found

    async def _take(self, message: Message | None) -> None:
        match message:
            case Speech() | Answer() | Answered() | Interrupted():
                await self._say(self._answers.take(message, self._clock()))
            case Caller():
                await self._understand(message)
            case Ping():
                await self._socket.send(codec.pong(message.event_id))
            case ToolCall():
                await self._socket.send(codec.no_tool(message.call_id))
            case Failed():
                raise message.error
            case _:
                pass

    async def _say(self, found: list[Said]) -> None:
        for said in found:
            await self._outbox.put(said)

    async def _understand(self, message: Caller) -> None:
        """Words come after the silence that they end with."""
        if message.final:
            self._answers.asked()
            for event in self._hearing.understood():
                self._outbox.put_now(Said(event))
        await self._outbox.put(Said(S2sEvent(kind="user_text", text=message.text, final=message.final)))
