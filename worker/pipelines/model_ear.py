"""A speech-to-speech model's ear: caller audio to the model, and what it notices of the caller's speech back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Protocol

from voicebackend.audio import PIPELINE_RATE, SAMPLE_BYTES
from voicebackend.errors import ConnectionFailed, VoiceBackendError
from voicebackend.hooks import Stage
from voicebackend.interfaces import S2sEvent
from voicebackend.telemetry import frames_dropped
from worker.pipelines.hearing import Heard, Listener, Utterance
from worker.pipelines.meter import Meter
from worker.pipelines.model_turn import MAX_TEXT
from worker.pipelines.model_voice import ModelVoice
from worker.pipelines.snapshot import EarSnapshot
from worker.processors import Processors
from worker.turns.barge_in import UNDECIDED_S

QUEUE_FRAMES = 300
"""Caller frames that may wait for the model: 6 s; then the oldest go."""
BEFORE_FRAMES = 50
"""Caller frames from before the model noticed speech that another one must hear: 1 s."""
TICK_S = 0.05
"""Seconds between two looks at how long the caller has been speaking, or silent."""
_BYTES_PER_S = PIPELINE_RATE * SAMPLE_BYTES


class ModelListener(Listener, Protocol):
    """Hears of words that come late, too."""

    async def understood(self, text: str) -> None:
        """Hear what the caller said that the model has begun to answer already."""

    async def heard(self, text: str) -> None:
        """Hear what else the caller had heard of the answer that was cut off."""

    async def settled(self) -> None:
        """Return when all is done that follows from the last event."""


@dataclass(slots=True)
class _Speech:
    """The caller's, as the model tells; times are seconds of the loop's clock."""

    started: float
    stopped: float | None = None
    text: str = ""


class ModelEar:
    """Runs as one task, once the voice has a stream; ``push`` never waits."""

    def __init__(self, voice: ModelVoice, processors: Processors, listener: ModelListener, meter: Meter) -> None:
        self._voice, self._processors, self._listener, self._meter = voice, processors, listener, meter
        self._frames: asyncio.Queue[bytes] = asyncio.Queue()
        self._clock = asyncio.get_running_loop().time
        self._speech: _Speech | None = None
        self._speaks = asyncio.Event()
        self._late = False
        self._pushed = self._noticed = 0
        self.deaf = False
        """Audio is not heard: the caller is on hold."""

    @property
    def hears_speech(self) -> bool:
        """Whether the caller is within a turn."""
        return self._speech is not None

    @property
    def voice(self) -> bytes:
        """Nothing: the model has heard it itself."""
        return b""

    def push(self, pcm: bytes, *, again: bool = False) -> None:
        """Take caller audio; ``again``: another worker had heard it."""
        self._pushed += 1
        if self.deaf and not again:
            return
        if self._frames.qsize() >= QUEUE_FRAMES:
            self._frames.get_nowait()
            frames_dropped.add(1, {"where": "s2s"})
        if not again:
            self._meter.add("s2s", self._voice.at_work, "seconds_in", len(pcm) / _BYTES_PER_S)
        self._frames.put_nowait(pcm)

    def snapshot(self) -> EarSnapshot:
        """Return from where another ear must hear again: a little before the model noticed speech."""
        if self._speech is None:
            return EarSnapshot(first=self._pushed + 1)
        return EarSnapshot(first=max(1, self._noticed - BEFORE_FRAMES), in_turn=True)

    def restore(self, snapshot: EarSnapshot) -> None:
        """Take nothing over: the model is a new one, and hears again."""

    def heard_again(self) -> None:
        """Tell at once: what the model makes of it comes when it comes."""
        self._listener.caught_up()

    async def run(self) -> None:
        """Listen until the model hangs up.

        Raises:
            VoiceBackendError: the model failed.

        """
        failure: BaseException | None = None
        try:
            async with asyncio.TaskGroup() as group:
                others = [
                    group.create_task(self._send(), name="s2s-uplink"),
                    group.create_task(self._mind(), name="s2s-clock"),
                ]
                async for event in self._voice.stream.events():
                    await self._hear(event)
                    await self._listener.settled()
                for other in others:
                    other.cancel()
        except* VoiceBackendError as failed:
            failure = failed.exceptions[0]
        if failure is not None:  # not within except*, which would wrap it again
            raise failure

    def answered(self) -> Utterance:
        """Hear that the model answers the speech under way, whose words may still come; returns when it was."""
        self._late = True
        return self._end(0.0)

    async def _send(self) -> None:
        while True:
            pcm = await self._frames.get()
            if self._processors:
                pcm = await self._processors.process(pcm, stage=Stage.PRE_S2S, sample_rate=PIPELINE_RATE)
            await self._voice.stream.push(pcm)

    async def _hear(self, event: S2sEvent) -> None:
        match event.kind:
            case "audio" | "agent_text" | "hold_tone" | "turn_done":
                self._voice.take(event)
            case "speech_started":
                self._late = False
                self._begin().stopped = None
                self._tell()
            case "speech_stopped" if self._speech is not None:
                self._speech.stopped = self._clock() - event.silence_s
                self._tell()
            case "user_text":
                await self._understand(event)
            case "usage":
                for unit, amount in event.usage.items():
                    self._meter.add("s2s", self._voice.at_work, unit, amount)
            case "agent_heard":
                await self._listener.heard(event.text.strip()[:MAX_TEXT])
            case "error":
                raise ConnectionFailed("s2s", "the speech-to-speech model reported an error")
            case _:
                pass

    async def _understand(self, event: S2sEvent) -> None:
        text = event.text.strip()[:MAX_TEXT]
        if self._late:
            if event.final:
                self._late = False
                await self._listener.understood(text)
        elif text or self._speech is not None:
            self._begin().text = text
            self._tell()
            if event.final:
                await self._finish(event.silence_s)
            elif text:
                self._listener.partial(text)

    async def _mind(self) -> None:
        """Time passes while the caller speaks: that, too, decides."""
        while True:
            await self._speaks.wait()
            await asyncio.sleep(TICK_S)
            speech = self._speech
            if speech is None:
                continue
            if self.deaf:
                self._end(0.0)
            elif speech.stopped is not None and self._clock() - speech.stopped >= UNDECIDED_S:
                await self._finish(0.0)
            else:
                self._tell()

    def _begin(self) -> _Speech:
        if self._speech is None:
            self._speech, self._noticed = _Speech(self._clock()), self._pushed
            self._speaks.set()
        return self._speech

    def _tell(self) -> None:
        """Tell what is known of the speech under way."""
        speech, now = self._speech, self._clock()
        if speech is not None:
            stopped = now if speech.stopped is None else speech.stopped
            speech_s = max(0.0, stopped - speech.started)
            self._listener.hears(Heard(speech_s=speech_s, text=speech.text, silence_s=max(0.0, now - stopped)))

    async def _finish(self, silence_s: float) -> None:
        """All is known of it."""
        utterance = self._end(silence_s)
        if utterance.text:
            await self._listener.said(utterance)
        else:
            self._listener.said_nothing()

    def _end(self, silence_s: float) -> Utterance:
        now = self._clock()
        speech, self._speech = self._speech or _Speech(now), None
        self._speaks.clear()
        stopped = now - silence_s if speech.stopped is None else speech.stopped
        return Utterance(text=speech.text, speech_s=max(0.0, stopped - speech.started), speech_end=stopped, decided=now)
