"""One conversation with a Vocode server."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from dataclasses import replace

from providers.engines.vad.hearing import Hearing
from providers.remote.outbox import Outbox
from providers.remote.socket import RemoteSocket
from providers.vocode import codec
from providers.vocode.answers import Answers, Item
from providers.vocode.config import VocodeConfig
from providers.vocode.sounds import Sounds
from voicebackend.audio import SAMPLE_BYTES, AudioFormat, Resampler
from voicebackend.errors import ConnectionFailed, ConnectionTimeout, PipelineError, VoiceBackendError
from voicebackend.interfaces import S2sEvent, S2sStream

logger = logging.getLogger(__name__)

LOOK_S = 0.5
"""Seconds between two looks at the clock."""
HOLD_S = 3.0
"""Seconds without caller audio after which silence is sent in its place."""
REASON_S = 0.5
"""Seconds that we wait to learn why nothing can be sent."""


class VocodeStream(S2sStream):
    """One session's, on a socket of its own, where the server listens."""

    def __init__(
        self, socket: RemoteSocket, settings: VocodeConfig, hearing: Hearing, early: Iterable[codec.Told] = ()
    ) -> None:
        """``early``: what the server has said already."""
        self._socket, self._settings, self._hearing = socket, settings, hearing
        self._clock = asyncio.get_running_loop().time
        self._answers, self._sounds = Answers(settings.answer_gap.total_seconds()), Sounds()
        self._outbox: Outbox[Item] = Outbox()
        self._resampler = Resampler(settings.sample_rate, settings.sample_rate)
        self._rate: int = settings.sample_rate
        self._pushed = self._clock()
        self._failure: VoiceBackendError | None = None
        self._receiver = asyncio.create_task(self._receive(early), name="vocode-receive")

    async def push(self, pcm: bytes) -> None:
        """Send caller audio, 16 kHz, and notice speech in it."""
        self._pushed = self._clock()
        for event in await self._hearing.push(pcm):
            await self._noticed(event)
        await self._send(codec.audio(pcm))

    async def events(self) -> AsyncIterator[S2sEvent]:
        """Yield what comes back until the stream closes."""
        async for item in self._outbox.read():
            yield item.event

    async def interrupt(self, played_ms: float) -> None:
        """Let nothing more be heard of what the caller spoke over: the server itself knows only its own ears."""
        answer = self._answers.cut(played_ms / 1000)
        if answer is not None:
            self._outbox.take_back(lambda item: item.answer is answer)
            self._outbox.put_now(Item(S2sEvent(kind="turn_done")))

    async def aclose(self) -> None:
        """Hang up: the server stops when it is told to, and the socket closes when we close it."""
        self._outbox.close()
        self._receiver.cancel()
        try:
            await asyncio.gather(self._receiver, return_exceptions=True)
        finally:
            await self._hang_up()

    async def _send(self, message: str) -> None:
        """Send something; nothing if the server has hung up in good order, which ``events`` tells.

        Raises:
            VoiceBackendError: why it broke, where that can be learned.

        """
        try:
            await self._socket.send(message)
        except ConnectionFailed:
            await asyncio.wait({self._receiver}, timeout=REASON_S)
            if self._failure is not None:
                raise self._failure from None
            if not self._receiver.done():
                raise

    async def _noticed(self, event: S2sEvent) -> None:
        """Tell of the caller's speech, and of where it leaves the answer under way."""
        if event.kind == "speech_started":
            self._answers.spoken_over()
            self._sounds.started(self._clock())
        else:
            self._sounds.stopped(self._clock(), event.silence_s)
        await self._outbox.put(Item(event))

    async def _hang_up(self) -> None:
        try:
            if self._socket.is_open:
                with suppress(VoiceBackendError):
                    await self._socket.send(codec.STOP)
        finally:
            await self._socket.aclose()

    async def _receive(self, early: Iterable[codec.Told]) -> None:
        """Hear the server until either side hangs up, or the call has taken as long as it may."""
        try:
            for told in early:
                await self._take(told)
            await self._hear()
            await self._hang_up()
        except VoiceBackendError as error:
            self._failure = error
        except Exception:
            logger.exception("the conversation broke", extra={"engine": "vocode"})
            self._failure = PipelineError("vocode.talk")
        self._outbox.end(self._failure)

    async def _hear(self) -> None:
        ends = self._clock() + self._settings.max_call_duration.total_seconds()
        while (now := self._clock()) < ends:
            try:
                message = await self._socket.receive(timeout_s=max(0.0, self._until(ends) - now))
            except ConnectionTimeout:
                pass  # it is time for something else
            else:
                if message is None or await self._take(self._told(message)):
                    return
            await self._pass(self._clock())
            await self._hold()
        logger.info("the call has taken as long as it may", extra={"engine": "vocode"})

    async def _hold(self) -> None:
        """Send silence for a caller who is on hold: the server's ears may give up a line on which nothing comes."""
        silent_s = self._clock() - self._pushed
        if silent_s >= HOLD_S:
            await self.push(AudioFormat().silence(silent_s))

    def _until(self, ends: float) -> float:
        """Return when to look at the clock again: a sound is looked at when it is over, which may be at any time."""
        return min(
            due for due in (ends, self._answers.due, self._sounds.due, self._clock() + LOOK_S) if due is not None
        )

    async def _pass(self, now: float) -> None:
        """Tell what the time alone decides."""
        await self._tell(self._answers.passed(now))
        if self._sounds.passed(now):
            await self._outbox.put(Item(S2sEvent(kind="user_text", final=True)))

    def _told(self, message: str | bytes) -> codec.Told | None:
        return codec.told(self._socket.parsed(message)) if isinstance(message, str) else None

    async def _take(self, told: codec.Told | None) -> bool:
        """Tell what the server says; return whether the call is over with it."""
        now, over = self._clock(), False
        self._sounds.came()
        match told:
            case codec.Speech():
                pcm = self._at_our_rate(told)
                seconds = len(pcm) / SAMPLE_BYTES / self._settings.sample_rate
                await self._tell(self._answers.audio(pcm, seconds, now))
            case codec.Words(human=True):
                await self._tell(self._answers.human_said(told.text, now))
            case codec.Words():
                over = not self._answers.interrupted and codec.has_any(told.text, self._settings.goodbyes)
                await self._tell(self._answers.bot_said(told.text, now))
        if over:
            await self._pass(math.inf)
        return over

    async def _tell(self, items: Iterable[Item]) -> None:
        for item in items:
            if item.event.kind != "user_text":
                await self._outbox.put(item)
                continue
            silence_s = self._hearing.silence_s
            self._sounds.understood()
            for event in self._hearing.understood():
                await self._outbox.put(Item(event))
            await self._outbox.put(Item(replace(item.event, silence_s=silence_s)))

    def _at_our_rate(self, speech: codec.Speech) -> bytes:
        """Convert what the server speaks at another rate than it was asked for."""
        rate = speech.sample_rate or self._settings.sample_rate
        if rate != self._rate:
            self._rate = rate
            self._resampler = Resampler(rate, self._settings.sample_rate)
        return self._resampler.process(speech.pcm)
