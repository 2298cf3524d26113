"""One turn's answer: the agent's text into sentences, spoken, and noted down as far as it was spoken."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable

from voicebackend.errors import PipelineError, VoiceBackendError, as_error
from voicebackend.events import AudioEnd, AudioStart, Error, Transcript, Turn
from voicebackend.interfaces import TransportLink
from voicebackend.session import PipelineState
from voicebackend.telemetry import ERROR_CODE, errors_total, span
from worker.agent_call import AgentCall
from worker.pipelines.mouth import Mouth
from worker.pipelines.stopwatch import Stopwatch
from worker.session_log import SessionLog
from worker.speech.clauses import SentenceCutter

logger = logging.getLogger(__name__)

APOLOGY = "Sorry, something went wrong. Could you say that again?"
"""What the caller hears when the agent failed before it said anything."""
MAX_TEXT = 8_000
"""Characters of an answer that are told and remembered: about nine minutes of speech."""
MAX_MESSAGE = 500
"""Characters of an error's message that the caller is told."""


class Answer:
    """Runs as one task per turn; cancelling it is an interruption."""

    def __init__(
        self,
        call: AgentCall,
        *,
        mouth: Mouth,
        link: TransportLink,
        log: SessionLog,
        watch: Stopwatch,
        on_state: Callable[[PipelineState], None],
    ) -> None:
        self._call, self._mouth, self._link, self._log = call, mouth, link, log
        self._watch, self._on_state = watch, on_state
        self._spoken: list[str] = []
        self._failed: VoiceBackendError | None = None

    @property
    def turn(self) -> int:
        """Return the turn's number."""
        return self._call.turn

    @property
    def speaking(self) -> bool:
        """Tell whether the caller hears it already."""
        return bool(self._spoken)

    async def run(self) -> None:
        """Answer; an agent that fails costs the turn, not the session."""
        with span("turn", turn=self.turn):
            try:
                await self._mouth.say(self.turn, self._sentences(), self)
            except* Exception as group:
                logger.exception("speech failed", extra={"turn": self.turn})
                self._failed = as_error(_first(group)) or PipelineError("speech", "speech synthesis failed")
            await self._report()
            await self._write_down(interrupted=False)
            logger.info("turn answered", extra={"turn": self.turn, "sentences": len(self._spoken)})

    async def interrupted(self) -> None:
        """After cancelling: note down what was begun to be spoken, and stop the agent."""
        await self._call.cancel()
        await self._write_down(interrupted=True)

    async def _sentences(self) -> AsyncIterator[str]:
        cutter = SentenceCutter()
        try:
            async for delta in self._call.deltas():
                if self._watch.first_text is None:
                    self._watch.first_text = time.monotonic()
                for sentence in cutter.push(delta):
                    yield sentence
            rest = cutter.flush()
            if rest:
                yield rest
        except VoiceBackendError as error:
            self._failed = error
            logger.warning("agent failed", extra={"turn": self.turn, "error_code": str(error.code)})
            if not self._spoken:
                yield APOLOGY

    # Progress, as the mouth reports it

    def clause_ready(self) -> None:
        """Note the time of the first clause."""
        if self._watch.first_clause is None:
            self._watch.first_clause = time.monotonic()

    async def sentence_begins(self, text: str) -> None:
        """Tell the caller's side what is being said, and at the first sentence, how long it took."""
        if not self._spoken:
            self._watch.first_audio = time.monotonic()
            self._watch.record()
            self._on_state(PipelineState.SPEAKING)
            self._link.event(AudioStart(turn=self.turn))
            self._link.event(Turn(turn=self.turn, latency_ms=self._watch.latency()))
        self._spoken.append(text)
        self._link.event(Transcript(role="agent", text=text, final=False, turn=self.turn))

    def all_sent(self) -> None:
        """Tell the caller's side that the turn's audio is complete."""
        if self._spoken:
            self._link.event(AudioEnd(turn=self.turn))

    async def _report(self) -> None:
        if self._failed is not None:
            errors_total.add(1, {ERROR_CODE: str(self._failed.code)})
            self._link.event(Error(code=self._failed.code, message=self._failed.message[:MAX_MESSAGE]))

    async def _write_down(self, *, interrupted: bool) -> None:
        if not self._spoken:
            return
        said = Transcript(role="agent", text=" ".join(self._spoken)[:MAX_TEXT], final=True, turn=self.turn)
        try:
            if self._watch.first_audio is not None:
                await self._log.event(Turn(turn=self.turn, latency_ms=self._watch.latency()))
            await self._log.event(said, **({"interrupted": True} if interrupted else {}))
        except VoiceBackendError as error:
            logger.warning("transcript not written", extra={"turn": self.turn, "error_code": str(error.code)})
        self._link.event(said)


def _first(error: BaseException) -> BaseException:
    """Return the first error inside nested groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def stop(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait until it has ended; what it raised is its own affair."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
