"""A session's ear: caller audio through processors, noise canceller, voice detector and recogniser, to utterances."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from dataclasses import dataclass
from typing import Protocol

from voicebackend import conversation
from voicebackend.audio import FRAME_MS, PIPELINE_RATE, SAMPLE_BYTES
from voicebackend.interfaces import Engines, Recognition, SttStream, TurnEvidence
from voicebackend.telemetry import frames_dropped, span
from worker.processors import Processors
from worker.turns.endpointing import Decision, Endpointing, Hearing
from worker.turns.habits import Habits
from worker.turns.waiting import waiting

logger = logging.getLogger(__name__)

QUEUE_FRAMES = 300
"""Frames that may wait to be heard: 6 s; then the oldest go."""
PREROLL_S = 0.5
"""Seconds kept from before speech was noticed."""
GAP_S = 0.06
"""Seconds without audio within a turn that are taken for silence: a muted or lost caller."""
DETECTOR_S = 0.3
"""Seconds that a turn detector has."""
EVIDENCE_S = 8.0
"""Seconds of an utterance that a turn detector is shown."""
_BYTES_PER_S = PIPELINE_RATE * SAMPLE_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """What a caller said in one turn."""

    text: str
    speech_end: float
    """When the last voiced audio was heard; seconds, monotonic."""
    decided: float
    """When the turn was taken to be over; seconds, monotonic."""


class Listener(Protocol):
    """Hears of what the ear noticed."""

    async def speech_lasts(self, seconds: float) -> None:
        """The caller has been speaking for this long."""

    def partial(self, text: str) -> None:
        """Recognition so far."""

    async def said(self, utterance: Utterance) -> None:
        """A turn is over."""


class Ear:
    """Runs as one task; ``push`` is called from the lane's reader and never waits."""

    def __init__(self, engines: Engines, processors: Processors, listener: Listener) -> None:
        assert engines.stt is not None and engines.vad is not None  # noqa: S101, PT018 - checked by open()
        self._engines, self._processors, self._listener = engines, processors, listener
        self._stt_engine, self._vad_engine = engines.stt, engines.vad
        self._vad = engines.vad.stream()
        self._noise = engines.noise.stream() if engines.noise else None
        self._endpointing = Endpointing(engines.vad.profile)
        self._audio: asyncio.Queue[bytes] = asyncio.Queue()
        self._recent: deque[bytes] = deque()
        self._recent_bytes = 0
        self._text = ""

    def push(self, pcm: bytes) -> None:
        """Take caller audio."""
        if self._audio.qsize() >= QUEUE_FRAMES:
            self._audio.get_nowait()
            frames_dropped.add(1, {"where": "ear"})
        self._audio.put_nowait(pcm)

    async def run(self) -> None:
        """Listen until cancelled."""
        stt = await self._stt_engine.stream(self._on_partial)
        try:
            wait_s = GAP_S
            while True:
                in_turn = self._endpointing.hearing is not Hearing.QUIET
                try:
                    async with asyncio.timeout(wait_s if in_turn else None):
                        pcm = await self._audio.get()
                    wait_s = GAP_S
                except TimeoutError:
                    pcm, wait_s = bytes(round(wait_s * PIPELINE_RATE) * SAMPLE_BYTES), FRAME_MS / 1000
                await self._hear(stt, pcm)
        finally:
            await stt.aclose()

    def _on_partial(self, recognition: Recognition) -> None:
        self._text = recognition.text
        if recognition.text:
            self._listener.partial(recognition.text)

    async def _hear(self, stt: SttStream, pcm: bytes) -> None:
        if self._processors:
            pcm = await self._processors.process(pcm, direction="in", sample_rate=PIPELINE_RATE)
        clean = self._noise.process(pcm) if self._noise else pcm
        self._keep(clean)
        if self._endpointing.hearing is not Hearing.QUIET:
            await stt.push(clean)
        for probability in self._vad.process(clean):
            decision = self._endpointing.step(probability, self._vad_engine.frame_s)
            if decision is not None:
                await self._act(stt, decision)
        if self._endpointing.hearing is Hearing.SPEECH:
            await self._listener.speech_lasts(self._endpointing.speech_s)

    async def _act(self, stt: SttStream, decision: Decision) -> None:
        match decision:
            case Decision.STARTED:
                self._text = ""
                await stt.push(b"".join(self._recent))
            case Decision.PAUSED:
                await stt.pause()
            case Decision.MAY_END:
                await self._may_end(stt)
            case Decision.ENDED:
                await self._end(stt)
            case Decision.CUT:
                await stt.pause()
                await self._end(stt)
            case Decision.RESUMED:
                pass

    async def _may_end(self, stt: SttStream) -> None:
        """Let the turn detector say how long to wait; the turn may be over at once."""
        probability = await self._finished_probability()
        base_s = self._vad_engine.profile.stop_s
        decided = waiting(self._text, probability, base_s=base_s, settings=conversation.Endpointing(), habits=Habits())
        wait_s = decided.seconds
        logger.debug("end of turn?", extra={"probability": round(probability, 3), "wait_s": round(wait_s, 3)})
        decision = self._endpointing.wait_until(wait_s)
        if decision is not None:
            await self._act(stt, decision)

    async def _finished_probability(self) -> float:
        if self._engines.turn is None:
            return 1.0
        silence_s = self._endpointing.silence_s
        evidence = TurnEvidence(text=self._text, silence_s=silence_s, audio=b"".join(self._recent))
        try:
            async with asyncio.timeout(DETECTOR_S):
                return await self._engines.turn.end_of_turn(evidence)
        except Exception:
            logger.exception("turn detector failed; silence alone decides")
            return 1.0

    async def _end(self, stt: SttStream) -> None:
        decided = time.monotonic()
        speech_end = decided - self._endpointing.silence_s
        with span("stt.finish", provider=self._stt_engine.name):
            final = await stt.finish()
            logger.info("speech recognised", extra={"engine": self._stt_engine.name, "characters": len(final.text)})
        self._endpointing.reset()
        self._vad.reset()
        if final.text.strip():
            await self._listener.said(Utterance(text=final.text.strip(), speech_end=speech_end, decided=decided))

    def _keep(self, pcm: bytes) -> None:
        self._recent.append(pcm)
        self._recent_bytes += len(pcm)
        limit = PREROLL_S if self._endpointing.hearing is Hearing.QUIET else EVIDENCE_S
        while self._recent and self._recent_bytes - len(self._recent[0]) > limit * _BYTES_PER_S:
            self._recent_bytes -= len(self._recent.popleft())
