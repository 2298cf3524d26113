"""One session's websocket to a Pipecat server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from itertools import count

from providers.engines.vad.hearing import Hearing
from providers.pipecat.answers import Numbered
from providers.pipecat.codec import Interruption, Rtvi, decode, encode, encode_audio
from providers.pipecat.config import PipecatConfig
from providers.pipecat.dialogue import Dialogue
from providers.remote.outbox import Outbox
from providers.remote.socket import RemoteSocket
from voicebackend.audio import PIPELINE_RATE
from voicebackend.errors import ConnectionFailed, ConnectionTimeout, InvalidFormat, PipelineError, VoiceBackendError
from voicebackend.interfaces import S2sEvent, S2sStream, VoiceActivityDetector

logger = logging.getLogger(__name__)

RTVI_VERSION = "2.2.0"
"""Of the protocol that we speak."""
GAP_S = 1.0
"""Seconds without audio, which comes as it is to be played, that end an answer whose end the server does not tell."""
REASON_S = 0.5
"""Seconds that we wait to learn why nothing can be sent."""
GOODBYE_S = 0.5
"""Seconds that our last message may take."""
_KEYPAD = frozenset("0123456789*#")


class PipecatStream(S2sStream):
    """Reads in a task of its own from the start; nothing is sent again."""

    def __init__(self, socket: RemoteSocket, settings: PipecatConfig, detector: VoiceActivityDetector) -> None:
        self._socket = socket
        self._dialogue = Dialogue(settings.sample_rate)
        self._outbox: Outbox[Numbered] = Outbox()
        self._hearing = Hearing(detector)
        self._patience_s = settings.rtvi_timeout.total_seconds()
        self._met = asyncio.Event()
        """The server has shown that it speaks RTVI, or has hung up."""
        self._listens = self._hears = False
        """We listen, too, since the server does not tell what it hears; and hear the caller now."""
        self._ids = count(1)
        self._failure: VoiceBackendError | None = None
        self._reader = asyncio.create_task(self._read(), name="pipecat-downlink")

    def __repr__(self) -> str:
        return f"<PipecatStream {self._socket!r}>"

    async def greet(self) -> None:
        """Tell the server that we are here, and wait for one that speaks RTVI to be ready, too.

        Raises:
            VoiceBackendError: the server hung up.

        """
        await self._tell("client-ready", {"version": RTVI_VERSION, "about": {"library": "voicebackend"}})
        with suppress(TimeoutError):
            async with asyncio.timeout(self._patience_s):
                await self._met.wait()
        if self._failure is not None:
            raise self._failure
        self._listens = not self._met.is_set()
        if self._listens:
            logger.info("the pipecat server speaks no RTVI", extra={"engine": "pipecat"})

    async def push(self, pcm: bytes) -> None:
        """Send caller audio, 16 kHz; listen to it where the server does not tell what it hears."""
        await self._send(encode_audio(pcm, PIPELINE_RATE))
        if self._listens:
            await self._listen(pcm)

    async def events(self) -> AsyncIterator[S2sEvent]:
        """Yield what comes back until the server ends the call."""
        async for _, event in self._outbox.read():
            yield event

    async def interrupt(self, played_ms: float) -> None:
        """Have the server stop, if it still speaks; how much was played cannot be told."""
        del played_ms
        number, ended = self._dialogue.answers.interrupt()
        self._outbox.take_back(lambda item: item[0] == number and item[1].kind in {"audio", "agent_text"})
        self._put(ended)
        if ended:
            await self._send(encode(Interruption()))

    async def tell(self, text: str) -> None:
        """Have the server's agent answer a text.

        Raises:
            PipelineError: the server speaks no RTVI.

        """
        if not self._dialogue.speaks_rtvi:
            raise PipelineError("pipecat.tell", "the server speaks no RTVI: it takes no text")
        await self._tell("send-text", {"content": text, "options": {"run_immediately": True, "audio_response": True}})

    async def dtmf(self, digit: str) -> None:
        """Tell of a key; telephones have A to D, too, which the server does not know."""
        if digit in _KEYPAD and self._dialogue.speaks_rtvi:
            await self._tell("dtmf", {"buttons": [digit]})

    async def aclose(self) -> None:
        """Have the server end its pipeline, and hang up."""
        self._outbox.close()
        self._reader.cancel()
        try:
            await asyncio.gather(self._reader, return_exceptions=True)
            if self._socket.is_open:
                with suppress(VoiceBackendError, TimeoutError):  # it is gone already
                    async with asyncio.timeout(GOODBYE_S):
                        await self._tell("disconnect-bot", {})
        finally:
            await self._socket.aclose()

    async def _tell(self, type_: str, data: dict[str, object]) -> None:
        await self._send(encode(Rtvi(type_, data), id_=str(next(self._ids))))

    async def _send(self, raw: bytes) -> None:
        """Send a message; to a server that has hung up in good order, nothing.

        Raises:
            VoiceBackendError: what the connection broke by, which who reads learns first.

        """
        try:
            await self._socket.send(raw)
        except ConnectionFailed:
            await asyncio.wait({self._reader}, timeout=REASON_S)
            if self._failure is not None:
                raise self._failure from None
            if not self._reader.done():
                raise

    async def _listen(self, pcm: bytes) -> None:
        """Notice speech, until the server tells of it after all, and what was begun is over."""
        for event in await self._hearing.push(pcm):
            self._hears = event.kind == "speech_started"
            self._put(self._dialogue.noticed(event))
        self._listens = self._hears or not self._dialogue.speaks_rtvi

    async def _read(self) -> None:
        """Take what the server sends until either side hangs up."""
        try:
            while await self._read_one():
                pass
        except VoiceBackendError as error:
            self._failure = error
        except Exception:
            logger.exception("the conversation broke", extra={"engine": "pipecat"})
            self._failure = PipelineError("pipecat.read")
        self._met.set()
        self._outbox.end(self._failure)

    async def _read_one(self) -> bool:
        """Take one message, or the silence that ends an answer; tell whether more may come."""
        await self._outbox.room()
        try:
            raw = await self._socket.receive(timeout_s=GAP_S if self._dialogue.answers.untold else None)
        except ConnectionTimeout:
            self._put(self._dialogue.answers.stopped())
            return True
        if raw is None:
            return False
        if isinstance(raw, str):
            raise InvalidFormat("pipecat", "a message is text: the server must use its protobuf serializer")
        message = decode(raw)
        if message is not None:
            self._put(self._dialogue.take(message))
        if self._dialogue.speaks_rtvi:
            self._met.set()
        return True

    def _put(self, found: list[Numbered]) -> None:
        """Pass on what was found at once: an interruption takes back all of an answer that waits."""
        for numbered in found:
            self._outbox.put_now(numbered)
