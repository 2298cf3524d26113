"""The conversation of ear, agent and mouth: whose turn it is, and what interrupts whom."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from voicebackend.audio import PIPELINE_RATE
from voicebackend.errors import InvalidConfig, VoiceBackendError
from voicebackend.events import Clear, Error, State, Transcript
from voicebackend.interfaces import Engines, Pipeline, TransportLink
from voicebackend.session import PIPELINE_TRANSITIONS, PipelineState, advance
from voicebackend.streams import Frame
from voicebackend.telemetry import frames_dropped
from worker.agent_call import AgentCall
from worker.pipelines.answer import Answer, stop
from worker.pipelines.ear import Ear, Utterance
from worker.pipelines.mouth import Mouth
from worker.pipelines.stopwatch import Stopwatch
from worker.processors import Processors
from worker.session_log import SessionLog

logger = logging.getLogger(__name__)

INTERRUPT_S = 0.3
"""Seconds of speech after which the agent falls silent."""

MAX_ANNOUNCEMENTS = 64
"""Pieces of the application's audio that may wait to be played."""


class SttTtsPipeline(Pipeline):
    """Speech to text, the agent's task, text to speech."""

    def __init__(
        self,
        *,
        engines: Engines,
        link: TransportLink,
        log: SessionLog,
        processors: Processors,
        agent: Callable[[int], AgentCall],
    ) -> None:
        if engines.stt is None or engines.tts is None or engines.vad is None:
            raise InvalidConfig("pipeline", "stt_tts needs engines for stt, tts and vad")
        self._link, self._log, self._agent = link, log, agent
        self._ear = Ear(engines, processors, self)
        self._mouth = Mouth(engines.tts, link, processors)
        self._state = PipelineState.IDLE
        self._turn = 0
        self._call: AgentCall | None = None
        self._answer: Answer | None = None
        self._answering: asyncio.Task[None] | None = None
        self._listening: asyncio.Task[None] | None = None
        self._announcing: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Begin to listen."""
        self._listening = asyncio.create_task(self._ear.run(), name="ear")
        self._to(PipelineState.LISTENING)

    async def wait(self) -> None:
        """Return, or raise, when the ear ends; it should not while the session runs."""
        assert self._listening is not None  # noqa: S101 - after open()
        await self._listening

    async def aclose(self) -> None:
        """Fall silent and stop listening."""
        await self._interrupt()
        for task in (self._listening, *self._announcing):
            if task is not None:
                await stop(task)

    def push(self, pcm: bytes) -> None:
        """Take caller audio."""
        self._ear.push(pcm)

    def agent_frame(self, frame: Frame) -> None:
        """Take what the agent's task says."""
        if self._call is not None:
            self._call.deliver(frame)

    def say(self, pcm: bytes) -> None:
        """Play the application's audio once the agent is silent."""
        if len(self._announcing) >= MAX_ANNOUNCEMENTS:
            frames_dropped.add(1, {"where": "announcements"})
            return
        task = asyncio.create_task(self._mouth.play(0, pcm, PIPELINE_RATE), name="announcement")
        self._announcing.add(task)
        task.add_done_callback(self._announcing.discard)

    def greet(self) -> None:
        """Tell a caller who has just connected what the conversation is doing."""
        self._link.event(State(state=self._state))

    # What the ear reports

    async def speech_lasts(self, seconds: float) -> None:
        """Give way to a caller who goes on, or speaks over the agent."""
        if self._answer is not None and seconds >= INTERRUPT_S:
            await self._interrupt()

    def partial(self, text: str) -> None:
        """Show what is being recognised."""
        self._link.event(Transcript(role="user", text=text, final=False, turn=self._turn + 1))

    async def said(self, utterance: Utterance) -> None:
        """Answer what the caller said."""
        await self._interrupt()
        self._turn += 1
        transcribed = time.monotonic()
        watch = Stopwatch(speech_end=utterance.speech_end, decided=utterance.decided, transcribed=transcribed)
        self._to(PipelineState.PROCESSING)
        heard = Transcript(role="user", text=utterance.text, final=True, turn=self._turn)
        self._link.event(heard)
        try:
            await self._log.event(heard)
        except VoiceBackendError as error:
            self._link.event(Error(code=error.code, message=error.message))
            self._to(PipelineState.LISTENING)
            return
        self._call = self._agent(self._turn)
        self._answer = Answer(
            self._call, mouth=self._mouth, link=self._link, log=self._log, watch=watch, on_state=self._to
        )
        self._answering = asyncio.create_task(self._answer.run(), name=f"turn-{self._turn}")
        self._answering.add_done_callback(self._answered)

    def _answered(self, task: asyncio.Task[None]) -> None:
        if task is not self._answering:
            return
        self._answer = None
        if not task.cancelled() and task.exception() is not None:
            logger.error("turn failed", exc_info=task.exception())
        self._to(PipelineState.LISTENING)

    async def _interrupt(self) -> None:
        answer, task = self._answer, self._answering
        if answer is None or task is None or task.done():
            return
        self._answer = self._answering = None
        await stop(task)
        if answer.speaking:
            self._link.event(Clear(turn=answer.turn))
        await answer.interrupted()
        self._to(PipelineState.LISTENING)

    def _to(self, state: PipelineState) -> None:
        following = advance(PIPELINE_TRANSITIONS, self._state, state, op="pipeline")
        if following is not self._state:
            self._state = following
            self._link.event(State(state=following))
