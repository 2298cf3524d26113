"""One turn's answer: the agent's text into clauses, spoken, and noted down exactly as far as it was heard."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from voicebackend.errors import PipelineError, VoiceBackendError, as_error
from voicebackend.events import AudioEnd, AudioStart, Error, Transcript, Turn
from voicebackend.session import PipelineState
from voicebackend.telemetry import count_error
from voicebackend.tracing import span
from worker.pipelines.answer_parts import AnswerParts
from worker.pipelines.answer_text import AnswerText, TextEvents
from worker.pipelines.as_heard import as_heard, cut_short
from worker.pipelines.parts import Question
from worker.pipelines.playout import Playout
from worker.pipelines.resumption import Resumption
from worker.pipelines.saying import Saying, heard, written
from worker.pipelines.snapshot import AnswerSnapshot
from worker.pipelines.stopwatch import Stopwatch

logger = logging.getLogger(__name__)

MAX_TEXT = 8_000
"""Characters of an answer that are told and remembered: about nine minutes of speech."""
MAX_MESSAGE = 500
"""Characters of an error's message that the caller is told."""


class Answer:
    """Runs as one task per turn; it is heard once ``commit`` was called. ``cut`` ends it early."""

    def __init__(self, question: Question, parts: AnswerParts, resumed: Resumption | None = None) -> None:
        """With ``resumed`` it goes on where another worker was, once ``go_on`` was called."""
        self._question, self._parts = question, parts
        self._mouth, self._link, self._log = parts.mouth, parts.link, parts.log
        self.playout = Playout(parts.link, question.turn, resumed)
        self._watch = Stopwatch(speech_end=0.0)
        self._timed = self._all_made = self._broken = False
        self._noting: asyncio.Task[None] | None = None
        self._committed = asyncio.Event()
        self._may_play = self._committed
        events = TextEvents(on_text=self._text_came, on_clause=self._mouth.count, on_failed=self._report)
        self._text = AnswerText(question, parts.settings, self._committed, events, resumed)
        self._voice_failed: VoiceBackendError | None = None
        self._clock = asyncio.get_running_loop().time
        if resumed is not None:
            self._resume(resumed)
        self._task = asyncio.create_task(self._run(), name=f"turn-{question.turn}")

    def _resume(self, resumed: Resumption) -> None:
        snapshot = resumed.snapshot
        if snapshot.committed:
            self._may_play = asyncio.Event()
            if snapshot.timed:
                self.commit(speech_end=snapshot.speech_end, decided=snapshot.decided)
                self._watch.restore(snapshot.first or self._watch.snapshot())
            self._committed.set()
        if resumed.received_ms > 0 and self._watch.first_audio is None:
            self._watch.first_audio = self._clock()  # told already

    def __repr__(self) -> str:
        return f"<Answer {self.turn} [{len(self._text.sayings)} clauses, {self.playout!r}]>"

    @property
    def turn(self) -> int:
        """Return the turn's number."""
        return self._question.turn

    @property
    def question(self) -> Question:
        """Return what it answers."""
        return self._question

    @property
    def task(self) -> asyncio.Task[None]:
        """Return the task it runs as."""
        return self._task

    @property
    def failed(self) -> bool:
        """Tell whether the agent or its voice failed."""
        return self._voice_failed is not None or self._text.failed is not None

    @property
    def said(self) -> str:
        """Return the text of what has begun to be spoken."""
        return written(self._text.sayings)

    @property
    def interruptible(self) -> bool:
        """Tell whether the caller may cut off what is being said now."""
        begun = [saying for saying in self._text.sayings if saying.start_ms is not None]
        played_ms = self.playout.played_ms()
        now = [saying for saying in begun if (saying.start_ms or 0.0) <= played_ms < _end_ms(saying)] or begun[-1:]
        return all(saying.clause.interruptible for saying in now)

    @property
    def remaining_s(self) -> float | None:
        """Return the seconds of it that are still to be heard; None while it is being made."""
        if not self._all_made:
            return None
        return max(0.0, sum(saying.made_ms for saying in self._text.sayings) - self.playout.played_ms()) / 1000

    def commit(self, *, speech_end: float, decided: float) -> None:
        """Let it be heard: the turn is over. Times are seconds of the loop's clock."""
        self._watch.speech_end, self._watch.decided, self._watch.transcribed = speech_end, decided, self._clock()
        self._timed = True
        self._committed.set()

    @property
    def committed(self) -> bool:
        """Whether it may be heard."""
        return self._committed.is_set()

    def abandon(self) -> list[asyncio.Task[None]]:
        """Return the tasks that are to end without a word: another worker goes on."""
        return [self._task] if self._noting is None else [self._task, self._noting]

    def go_on(self) -> None:
        """Let what another worker began be heard further."""
        if self._committed.is_set():
            self._may_play.set()

    def snapshot(self) -> AnswerSnapshot:
        """Return it as another worker has to know it."""
        return replace(
            self._text.snapshot(),
            committed=self._committed.is_set(),
            timed=self._timed,
            speech_end=round(self._watch.speech_end, 3),
            decided=round(self._watch.decided, 3),
            first=self._watch.snapshot() if self._timed else None,
            sent_ms=round(self.playout.sent_ms, 1),
            base_ms=round(self.playout.base_ms, 1),
            stretches=tuple((round(place, 3), round(at, 3)) for place, at in self.playout.stretches),
        )

    def announce(self) -> None:
        """Let it be heard: nobody asked."""
        self._committed.set()

    def cut(self) -> asyncio.Task[None]:
        """Fall silent now; the task that is returned notes down what was heard, and ends."""
        self._task.cancel()
        if self._committed.is_set():
            self.playout.clear()
        return asyncio.create_task(self._cut_off(), name=f"cut-{self.turn}")

    async def _cut_off(self) -> None:
        await asyncio.gather(self._task, return_exceptions=True)
        await self._question.cancel()
        if self._noting is not None:
            await self._noting
        elif self._committed.is_set():
            played_ms = await self.playout.heard_ms()
            await self._voice_cut_off(played_ms)
            sayings, moment_of = self._text.sayings, self._parts.moment_of
            text = heard(sayings, played_ms)
            cut = cut_short(sayings, self._text.waiting, played_ms, self.playout, moment_of)
            await self._note(text, played_ms, interrupted=True, **cut)
            if not text and cut.get("unheard"):
                await self._quietly(self._log.append({"type": "unheard", "turn": self.turn, **cut}))
            logger.info("turn interrupted", extra={"turn": self.turn, "characters": len(text)})

    async def _voice_cut_off(self, played_ms: float) -> None:
        if self._text.sayings:
            await self._tell_voice(_played_of(self._text.sayings[-1], played_ms))

    async def _tell_voice(self, played_ms: float) -> None:
        """Tell the voice how much was played of what it said last."""
        await self._mouth.cut_off(played_ms)

    async def _run(self) -> None:
        """Answer; an agent that fails costs the turn, not the session."""
        with span("turn", turn=self.turn):
            try:
                await self._speak()
            except* Exception as group:
                logger.exception("speech failed", extra={"turn": self.turn})
                self._broken = True
                self._voice_failed = as_error(_first(group)) or PipelineError("speech", "speech synthesis failed")
                await self._committed.wait()
                await self._report(self._voice_failed)
            played_ms = self.playout.sent_ms if self._broken else math.inf
            said = heard(self._text.sayings, played_ms) if self._broken else written(self._text.sayings)
            self._noting = asyncio.create_task(self._note(said, played_ms), name=f"note-{self.turn}")
            await asyncio.shield(self._noting)
            logger.info("turn answered", extra={"turn": self.turn, "clauses": len(self._text.sayings)})

    async def _speak(self) -> None:
        async with aclosing(self._text.stream()) as sayings:
            await self._mouth.say(self.playout, sayings, self, may_play=self._may_play)

    # Progress, as the mouth reports it

    def clause_ready(self, saying: Saying) -> None:
        """Note when the first clause was ready."""
        del saying
        if self._watch.first_clause is None:
            self._watch.first_clause = self._clock()

    def clause_begins(self, saying: Saying) -> None:
        """Tell the caller's side what is being said, and at the first clause, how long it took."""
        if self._watch.first_audio is None:
            self._watch.first_audio = self._clock()
            self._parts.on_state(PipelineState.SPEAKING)
            self._link.event(AudioStart(turn=self.turn))
            if self._timed:
                self._watch.record(self.turn)
                self._link.event(Turn(turn=self.turn, latency_ms=self._watch.latency()))
        if saying.clause.text:
            self._link.event(Transcript(role="agent", text=saying.clause.text, final=False, turn=self.turn))
        self._parts.on_progress()

    def clause_made(self) -> None:
        """Its length is known: a successor needs that."""
        self._parts.on_progress()

    def all_made(self) -> None:
        """Note that its length is known."""
        self._all_made = True

    def all_sent(self) -> None:
        """Tell the caller's side that the turn's audio is complete."""
        if self._watch.first_audio is not None:
            self._link.event(AudioEnd(turn=self.turn))

    def _text_came(self) -> None:
        if self._watch.first_text is None:
            self._watch.first_text = self._clock()

    async def _report(self, failed: VoiceBackendError) -> None:
        """Record and tell that the agent, or its voice, failed."""
        count_error(failed.code)
        error = Error(code=failed.code, message=failed.message[:MAX_MESSAGE])
        self._link.event(error)
        await self._quietly(self._log.append({"type": "error", "code": str(error.code), "turn": self.turn}))

    async def _note(self, text: str, played_ms: float, **extra: Any) -> None:
        """Write the turn into the log and tell the caller's side; nothing if nothing was heard."""
        if not text:
            return
        said = Transcript(role="agent", text=text[:MAX_TEXT], final=True, turn=self.turn)
        if self._timed and self._watch.first_audio is not None:
            latency = Turn(turn=self.turn, latency_ms=self._watch.latency())
            await self._quietly(self._log.event(latency, engines=self._mouth.meter.at_work, **self._hop()))
        times = as_heard(self._text.sayings, played_ms, self.playout, self._parts.moment_of)
        await self._quietly(self._log.event(said, **times, **extra))
        self._link.event(said)

    def _hop(self) -> dict[str, float]:
        """Return what the way to the agent's task took, in milliseconds, where one was asked."""
        hop_s = self._question.hop_s
        return {} if hop_s is None else {"hop": round(hop_s * 1000, 1)}

    async def _quietly(self, writing: Awaitable[None]) -> None:
        """Write if that is possible now: a Redis that is away for a moment does not end a call."""
        try:
            await writing
        except VoiceBackendError as error:
            logger.warning("log not written", extra={"turn": self.turn, "error_code": str(error.code)})


def _end_ms(saying: Saying) -> float:
    return (saying.start_ms or 0.0) + saying.made_ms


def _played_of(saying: Saying, played_ms: float) -> float:
    return 0.0 if saying.start_ms is None else max(0.0, played_ms - saying.start_ms - saying.resumed_ms)


def _first(error: BaseException) -> BaseException:
    """Return the first error inside nested groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
