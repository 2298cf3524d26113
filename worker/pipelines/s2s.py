"""The conversation with one speech-to-speech model: caller audio to it, its audio paced to the caller."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from voicebackend.audio import PIPELINE_RATE, SAMPLE_BYTES, Resampler
from voicebackend.errors import ConnectionFailed, InvalidConfig, VoiceBackendError
from voicebackend.events import AudioEnd, AudioStart, State, Transcript, Turn
from voicebackend.interfaces import Engines, Pipeline, S2sEvent, S2sStream, TransportLink
from voicebackend.session import PIPELINE_TRANSITIONS, PipelineState, advance
from voicebackend.telemetry import frames_dropped, span
from worker.pipelines.playout import Playout
from worker.pipelines.stopwatch import Stopwatch
from worker.processors import Processors
from worker.session_log import SessionLog

logger = logging.getLogger(__name__)

QUEUE_FRAMES = 300
"""Caller frames that may wait for the model: 6 s; then the oldest go."""


READY_S = 120.0
"""Seconds of the model's audio that may wait to be played; what comes beyond is dropped."""
MAX_TEXT = 8_000
"""Characters of a text that are told and remembered."""


class S2sPipeline(Pipeline):
    """Pumps audio both ways and keeps the books."""

    def __init__(
        self,
        *,
        engines: Engines,
        link: TransportLink,
        log: SessionLog,
        processors: Processors,
        metadata: Mapping[str, Any],
    ) -> None:
        if engines.s2s is None:
            raise InvalidConfig("pipeline", "s2s needs an engine: s2s_provider", details={"field": "s2s_provider"})
        self._engine, self._link, self._log = engines.s2s, link, log
        self._processors, self._metadata = processors, metadata
        self._audio: asyncio.Queue[bytes] = asyncio.Queue()
        self._ready: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._ready_bytes = 0
        self._state = PipelineState.IDLE
        self._turn = 0
        self._last_audio = 0.0
        self._running: asyncio.Task[None] | None = None
        self._speech: _Speech | None = None

    async def open(self) -> None:
        """Connect to the model."""
        with span("s2s.open", provider=self._engine.name):
            stream = await self._engine.stream(metadata=self._metadata)
            logger.info("s2s stream opened", extra={"engine": self._engine.name})
        self._running = asyncio.create_task(self._run(stream), name="s2s")
        self._to(PipelineState.LISTENING)

    async def wait(self) -> str:
        """Return, or raise, when the model hangs up."""
        assert self._running is not None  # noqa: S101 - after open()
        await self._running
        return "closed"

    async def aclose(self) -> None:
        """Hang up."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    def push(self, pcm: bytes) -> None:
        """Take caller audio."""
        if self._audio.qsize() >= QUEUE_FRAMES:
            self._audio.get_nowait()
            frames_dropped.add(1, {"where": "s2s"})
        self._audio.put_nowait(pcm)

    def greet(self) -> None:
        """Tell a caller who has just connected what the conversation is doing."""
        self._link.event(State(state=self._state))

    async def _run(self, stream: S2sStream) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                pumps = [
                    group.create_task(self._send(stream), name="s2s-uplink"),
                    group.create_task(self._play(), name="s2s-playout"),
                ]
                async for event in stream.events():
                    await self._handle(stream, event)
                await self._ready.join()
                for pump in pumps:
                    pump.cancel()
        except* VoiceBackendError as failed:
            raise failed.exceptions[0] from None
        finally:
            await stream.aclose()

    async def _send(self, stream: S2sStream) -> None:
        while True:
            pcm = await self._audio.get()
            self._last_audio = time.monotonic()
            if self._processors:
                pcm = await self._processors.process(pcm, direction="in", sample_rate=PIPELINE_RATE)
            await stream.push(pcm)

    async def _handle(self, stream: S2sStream, event: S2sEvent) -> None:
        match event.kind:
            case "audio":
                self._queue(event.pcm)
            case "user_text" | "agent_text":
                await self._note("user" if event.kind == "user_text" else "agent", event)
            case "speech_started" if self._speech is not None:
                await self._interrupt(stream, self._speech)
            case "turn_done":
                self._ready.put_nowait(None)
            case "error":
                raise ConnectionFailed("s2s", "the speech-to-speech model reported an error")
            case _:
                pass

    def _queue(self, pcm: bytes) -> None:
        """Never wait: the next event may be that the caller speaks."""
        if self._ready_bytes + len(pcm) > READY_S * self._engine.sample_rate * SAMPLE_BYTES:
            frames_dropped.add(1, {"where": "s2s playout"})
            return
        self._ready_bytes += len(pcm)
        self._ready.put_nowait(pcm)

    async def _note(self, role: Literal["user", "agent"], event: S2sEvent) -> None:
        turn = self._turn + (self._speech is None)
        said = Transcript(role=role, text=event.text[:MAX_TEXT], final=event.final, turn=turn)
        self._link.event(said)
        if event.final:
            await self._log.event(said)

    async def _interrupt(self, stream: S2sStream, speech: _Speech) -> None:
        """Drop what was not played, and have the model forget it."""
        self._speech = None
        speech.playout.clear()
        self._ready_bytes = 0
        while not self._ready.empty():
            self._ready.get_nowait()
            self._ready.task_done()
        await stream.interrupt(speech.playout.played_ms())
        self._to(PipelineState.LISTENING)

    async def _play(self) -> None:
        """Play what is ready; None ends a turn."""
        while True:
            pcm = await self._ready.get()
            if pcm is None:
                await self._finish()
            else:
                self._ready_bytes = max(0, self._ready_bytes - len(pcm))
                speech = self._speech or self._begin()
                converted = speech.resampler.process(pcm)
                if self._processors:
                    rate = self._link.sample_rate
                    converted = await self._processors.process(converted, direction="out", sample_rate=rate)
                await speech.playout.write(converted)
            self._ready.task_done()

    def _begin(self) -> _Speech:
        self._turn += 1
        self._speech = _Speech(
            resampler=Resampler(self._engine.sample_rate, self._link.sample_rate),
            playout=Playout(self._link, self._turn),
        )
        now = time.monotonic()
        watch = Stopwatch(speech_end=self._last_audio or now, decided=now, transcribed=now, first_audio=now)
        watch.record()
        self._to(PipelineState.SPEAKING)
        self._link.event(AudioStart(turn=self._turn))
        self._link.event(Turn(turn=self._turn, latency_ms=watch.latency()))
        return self._speech

    async def _finish(self) -> None:
        speech = self._speech
        if speech is None:
            return
        await speech.playout.flush()
        if self._speech is speech:
            self._link.event(AudioEnd(turn=self._turn))
        await speech.playout.played()
        if self._speech is speech:
            self._speech = None
            self._to(PipelineState.LISTENING)

    def _to(self, state: PipelineState) -> None:
        following = advance(PIPELINE_TRANSITIONS, self._state, state, op="pipeline")
        if following is not self._state:
            self._state = following
            self._link.event(State(state=following))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Speech:
    """The model's turn under way."""

    resampler: Resampler
    playout: Playout
