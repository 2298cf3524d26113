"""One session's conversation with an assistant of Vapi's."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress

from providers.remote.outbox import Outbox
from providers.remote.socket import RemoteSocket
from providers.vapi import codec
from providers.vapi.assistant import Assistant, State
from providers.vapi.caller import Caller
from voicebackend._background import Background
from voicebackend.agents import HistoryEntry
from voicebackend.audio import FRAME_MS, PIPELINE_RATE, AudioFormat, Resampler, whole_samples
from voicebackend.errors import PipelineError, VoiceBackendError
from voicebackend.interfaces import S2sEvent, S2sStream

GAP_S = 0.5
"""Seconds without the caller's audio after which silence takes its place, from their first; less may only be late."""
LATE_S = 1.0
"""Seconds after an answer has begun in which an interruption may still mean the one before."""
MAX_TEXTS = 100
"""Texts that may wait to be said; then the oldest go."""


class VapiStream(S2sStream):
    """Holds a call's websocket; ``on_closed`` is called once it has been left."""

    def __init__(
        self, socket: RemoteSocket, *, sample_rate: int, answers: bool, on_closed: Callable[[], object]
    ) -> None:
        self._socket, self._on_closed = socket, on_closed
        self._clock = asyncio.get_running_loop().time
        self._assistant = Assistant(sample_rate, answers=answers, clock=self._clock)
        self._answers = answers
        self._caller = Caller()
        self._outbox: Outbox[tuple[int, S2sEvent]] = Outbox()
        self._texts: deque[str] = deque(maxlen=MAX_TEXTS)
        self._spoken_over = 0
        """What the assistant had begun last when the caller last began to speak."""
        self._format = AudioFormat(sample_rate=sample_rate)
        self._resampler = None if sample_rate == PIPELINE_RATE else Resampler(PIPELINE_RATE, sample_rate)
        self._pushed_at = self._sent_until = self._clock()
        self._odd = b""
        self._tasks = Background()
        self._closed = False

    async def begin(self, history: Sequence[HistoryEntry]) -> None:
        """Tell what was said before, and begin to listen and to be heard."""
        for message in codec.remember(history):
            await self._socket.send(message)
        self._tasks.start(self._receive(), name="vapi-downlink")
        self._tasks.start(self._fill(), name="vapi-silence")

    async def push(self, pcm: bytes) -> None:
        """Send caller audio."""
        if self._resampler is not None:
            pcm = self._resampler.process(pcm)
        if pcm:
            self._pushed_at = self._clock()
            self._sent_until = max(self._sent_until, self._pushed_at) + self._format.duration_s(pcm)
            await self._socket.send(pcm)

    async def events(self) -> AsyncIterator[S2sEvent]:
        """Yield what comes back until the stream closes."""
        async for _, event in self._outbox.read():
            yield event

    async def interrupt(self, played_ms: float) -> None:
        """Take back what the assistant was saying; what it remembers is what Vapi takes to have been heard."""
        del played_ms
        self._texts.clear()
        cut = self._cut_off()
        self._outbox.take_back(lambda item: item[0] == cut and item[1].kind in {"audio", "agent_text"})
        if cut == self._assistant.answer:
            for event in self._assistant.cut():
                self._outbox.put_now((cut, event))

    async def say(self, text: str) -> None:
        """Have the assistant say a text once it has said those before."""
        self._texts.append(text)
        await self._say_next()

    async def tell(self, text: str) -> None:
        """Have the assistant answer a text."""
        await self._socket.send(codec.tell(text))

    async def aclose(self) -> None:
        """Hang up."""
        if self._closed:
            return
        self._closed = True
        self._outbox.close()
        try:
            await self._tasks.aclose()
            with suppress(VoiceBackendError):
                await self._socket.send(codec.END_CALL)
        finally:
            try:
                await self._socket.aclose()
            finally:
                self._on_closed()

    async def _receive(self) -> None:
        """Sort what comes until the call ends; whatever it ends by, the reader hears of it."""
        try:
            async for message in self._socket.objects():
                if isinstance(message, bytes):
                    await self._put(self._assistant.hear(self._whole(message)))
                elif isinstance(found := codec.read(message), codec.Ended):
                    break
                elif found is not None:
                    await self._put(self._sorted(found))
                    await self._say_next()
            self._outbox.end()
        except VoiceBackendError as error:
            self._outbox.end(error)
        finally:
            self._outbox.end(PipelineError("vapi", "what came could not be sorted"))  # unless it has ended

    def _sorted(self, message: codec.Message) -> list[S2sEvent]:
        match message:
            case codec.Speech(role="user"):
                if message.started:
                    self._spoken_over = self._assistant.answer
                return self._caller.speech(message)
            case codec.Words(role="user"):
                return self._caller.words(message)
            case codec.Speech(started=True):
                return [*self._caller.answered(), *self._assistant.started()]
            case _:
                return self._assistant.take(message)

    def _cut_off(self) -> int:
        """Return which answer an interruption means: the last, or if that has only just begun, the one spoken over."""
        over, self._spoken_over = self._spoken_over, 0
        last = self._assistant.answer
        return over if over and self._clock() - self._assistant.began < LATE_S else last

    async def _put(self, events: list[S2sEvent]) -> None:
        for event in events:
            await self._outbox.put((self._assistant.answer, event))

    async def _say_next(self) -> None:
        """Give the assistant the next text, if it has said the one before."""
        assistant = self._assistant
        if self._texts and assistant.asked is None and assistant.state is not State.HEARD:
            text = self._texts.popleft()
            assistant.ask(text)
            await self._socket.send(codec.say(text, instead=assistant.state is not State.QUIET or not self._answers))

    async def _fill(self) -> None:
        """Send silence, in time, while the caller sends nothing: the far side's clock is the audio."""
        frame_s = FRAME_MS / 1000
        with suppress(VoiceBackendError):  # whoever reads hears of it
            while True:
                await asyncio.sleep(frame_s)
                now = self._clock()
                missing_s = min(now - self._sent_until, GAP_S)
                if now - self._pushed_at >= GAP_S and missing_s >= frame_s:
                    self._sent_until = now
                    await self._socket.send(self._format.silence(missing_s))

    def _whole(self, pcm: bytes) -> bytes:
        """Return whole samples; half of one waits for the other."""
        whole, self._odd = whole_samples(self._odd + pcm)
        return whole
