"""One session's conversation over the Realtime API: who hears the vendor, who speaks texts, who reads it all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

from providers.openai import codec
from providers.openai.answers import Answer, Told
from providers.openai.dialogue import Dialogue, Outcome
from providers.openai.tts import speech
from providers.remote.api import RemoteApi
from providers.remote.outbox import Outbox
from providers.remote.socket import RemoteSocket
from voicebackend.audio import PIPELINE_RATE, Resampler
from voicebackend.errors import ConnectionFailed, InvalidConfig, PipelineError, VoiceBackendError
from voicebackend.interfaces import S2sEvent, S2sStream

logger = logging.getLogger(__name__)

MAX_TEXTS = 100
"""Texts that may wait to be said."""


class RealtimeStream(S2sStream):
    """Open, until one side hangs up."""

    def __init__(self, api: RemoteApi, socket: RemoteSocket, dialogue: Dialogue, *, voice: dict[str, Any]) -> None:
        """``voice`` says how texts are spoken: the ``model``, None if they are not, and its ``voice``."""
        self._api, self._socket, self._dialogue, self._voice = api, socket, dialogue, voice
        self._resampler = Resampler(PIPELINE_RATE, codec.REALTIME_RATE)
        self._out: Outbox[Told] = Outbox()
        self._texts: asyncio.Queue[str] = asyncio.Queue(MAX_TEXTS)
        self._saying: Answer | None = None
        self._end_read = asyncio.Event()
        self._closed = False
        self._hearing = self._started(self._hear, "openai-hear")
        self._speaking = self._started(self._speak, "openai-speak")

    async def push(self, pcm: bytes) -> None:
        """Send caller audio, 16 kHz."""
        resampled = self._resampler.process(pcm)
        if resampled:
            await self._socket.send(codec.append(resampled))

    async def events(self) -> AsyncIterator[S2sEvent]:
        """Yield what comes back until the stream closes.

        Raises:
            VoiceBackendError: the conversation broke; the vendor has no other way to end it.

        """
        async for told in self._out.read():
            if told.is_unwanted:
                continue
            if told.answer is not None and told.is_end:
                told.answer.was_read = True
                self._end_read.set()
            yield told.event

    async def interrupt(self, played_ms: float) -> None:
        """Cut short what the caller spoke over, or what was said last, and drop the texts that wait."""
        while not self._texts.empty():
            self._texts.get_nowait()
        answer, outcome = self._dialogue.interrupt(played_ms)
        if answer is None:
            return
        for told in outcome.told:
            self._out.put_now(told)
        if answer is self._saying:
            await self._stop(self._speaking)
            if not self._closed:
                self._speaking = self._started(self._speak, "openai-speak")
        await self._send(outcome)

    async def say(self, text: str) -> None:
        """Have a text spoken by the vendor's voice for texts, once those before it have been."""
        if self._voice["model"] is None:
            message = "speech_model: without it no text can be spoken"
            raise InvalidConfig("openai.say", message, details={"field": "speech_model"})
        try:
            self._texts.put_nowait(text)
        except asyncio.QueueFull:
            raise PipelineError("openai.say", f"more than {MAX_TEXTS} texts wait to be said") from None

    async def tell(self, text: str) -> None:
        """Have a text answered as if the caller had said it."""
        await self._send(self._dialogue.tell(text))

    async def dtmf(self, digit: str) -> None:
        """Let the model know of a key; it answers with what the caller says next."""
        await self._socket.send(codec.said("system", f"The caller has pressed the key {digit}."))

    async def aclose(self) -> None:
        """Hang up."""
        self._closed = True
        try:
            await self._stop(self._hearing, self._speaking)
        finally:
            self._out.close()
            await self._socket.aclose()

    async def _hear(self) -> None:
        async for event in self._socket.objects():
            if isinstance(event, dict):
                await self._act(self._dialogue.take(event))
        raise ConnectionFailed("openai.talk", "the vendor ended the session")

    async def _speak(self) -> None:
        while True:
            text = await self._texts.get()
            self._saying, outcome = self._dialogue.say(text)
            await self._act(outcome)
            await self._pronounce(self._saying, text)
            while not self._saying.was_read:
                self._end_read.clear()
                await self._end_read.wait()

    async def _pronounce(self, answer: Answer, text: str) -> None:
        async with aclosing(speech(self._api, text, self._voice)) as pieces:
            async for pcm in pieces:
                await self._act(self._dialogue.spoken(answer, pcm))
        await self._act(self._dialogue.said(answer))

    async def _act(self, outcome: Outcome) -> None:
        for told in outcome.told:
            await self._out.put(told)
        await self._send(outcome)

    async def _send(self, outcome: Outcome) -> None:
        for message in outcome.messages:
            await self._socket.send(message)

    def _started(self, work: Callable[[], Awaitable[None]], name: str) -> asyncio.Task[None]:
        return asyncio.create_task(self._guarded(work), name=name)

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        """Work; the reader hears of it if that fails."""
        try:
            await work()
        except VoiceBackendError as error:
            self._out.end(error)
        except Exception:
            logger.exception("the conversation broke")
            self._out.end(PipelineError("openai.talk"))

    async def _stop(self, *tasks: asyncio.Task[None]) -> None:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
