"""Who has the floor: the agent's answer, held or dropped when the caller speaks, and the guess at the next one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from voicebackend.session import PipelineState
from voicebackend.streams import Frame
from voicebackend.telemetry import barge_in_seconds
from worker.pipelines.announcement import Announcement
from worker.pipelines.answer import Answer
from worker.pipelines.answer_parts import AnswerParts
from worker.pipelines.hearing import Heard, Utterance
from worker.pipelines.parts import Agent, Question
from worker.turns.barge_in import PLAYING, Overlap, Playing, Verdict, is_answer, verdict
from worker.turns.speculation import MAX_GUESSES, close_enough

logger = logging.getLogger(__name__)

STEP_S = 0.1
"""Seconds of speech or silence between two looks at the same words."""


@dataclass(frozen=True, slots=True)
class _Onset:
    """Where the agent was when the caller began to speak over it."""

    heard_s: float
    remaining_s: float | None
    interruptible: bool


@dataclass(frozen=True, slots=True)
class Guess:
    """An answer to what the caller seems to have said."""

    text: str
    answer: Answer


class Floor:
    """One session's. Nothing here waits; ``settled`` does, for what an interruption leaves to be noted down."""

    def __init__(self, parts: AnswerParts, agent: Agent | None, on_free: Callable[[], None]) -> None:
        self._parts, self._agent, self._on_free = parts, agent, on_free
        self._settings = parts.settings
        self._answer: Answer | None = None
        self._cut: Answer | None = None
        self._playing = Playing.ON
        self._onset: _Onset | None = None
        self._known: tuple[object, ...] = ()
        self._guess: Guess | None = None
        self._guesses = 0
        self._cutting: dict[asyncio.Task[None], Answer] = {}
        self._on_hold = False

    def __repr__(self) -> str:
        return f"<Floor [{self._answer!r}, {self._playing}]>"

    @property
    def taken(self) -> bool:
        """Whether the agent thinks or speaks."""
        return self._answer is not None

    @property
    def asked(self) -> Question | None:
        """Return what is being answered, once the answer is certain."""
        return None if self._answer is None or not self._answer.committed else self._answer.question

    @property
    def guessing(self) -> bool:
        """Whether the agent has begun on what the caller seems to have said."""
        return self._guess is not None

    async def settled(self) -> None:
        """Return when what was cut off has been noted down: before that, nothing else may be."""
        while self._cutting:
            await asyncio.gather(*self._cutting, return_exceptions=True)

    async def finished(self, within_s: float) -> None:
        """Return when the agent has finished, or after so many seconds."""
        if self._answer is not None:
            await asyncio.wait({self._answer.task}, timeout=within_s)

    def deliver(self, frame: Frame) -> None:
        """Take what an agent's task says."""
        if self._answer is not None:
            self._answer.question.deliver(frame)
        if self._guess is not None:
            self._guess.answer.question.deliver(frame)

    def played(self, turn: int, ms: float, *, final: bool) -> None:
        """Take the gateway's report of how much was heard."""
        for answer in (self._answer, self._cut):
            if answer is not None and answer.turn == turn:
                answer.playout.told(ms, final=final)

    # The caller, over the agent

    def overlaps(self, heard: Heard) -> None:
        """Hear what is known of speech while the agent has the floor."""
        answer = self._answer
        if answer is None or self._playing is Playing.DROPPED:
            return
        known = (heard.text, heard.settled, round(heard.speech_s / STEP_S), round(heard.silence_s / STEP_S))
        if self._onset is not None and known == self._known:
            return  # nothing that a verdict depends on has changed
        self._known = known
        onset = self._onset = self._onset or _onset(answer)
        overlap = _overlap(heard, onset, answer)
        self._do(verdict(overlap, self._settings.barge_in), overlap)

    def counts(self, utterance: Utterance) -> bool:
        """Tell whether what was said over the agent is to be answered; the overlap is over with it."""
        onset, answer, self._onset = self._onset, self._answer, None
        if answer is None or onset is None:
            return True
        heard = Heard(speech_s=utterance.speech_s, text=utterance.text, settled=True)
        overlap = _overlap(heard, onset, answer)
        self._do(verdict(overlap, self._settings.barge_in), overlap)
        return not onset.interruptible or is_answer(overlap, self._settings.barge_in)

    def nothing(self) -> None:
        """Hear that the sound over the agent was no speech."""
        self._onset, self._guesses = None, 0
        self._do(Verdict.RESUME)
        self._drop_guess()

    def _do(self, decided: Verdict, overlap: Overlap | None = None) -> None:
        answer = self._answer
        if answer is None or decided not in PLAYING or self._playing not in PLAYING[decided][0]:
            return
        if decided is Verdict.RESUME and self._on_hold:
            return
        if overlap is not None and self._playing is Playing.ON:
            barge_in_seconds.record(overlap.speech_s)
        self._playing = PLAYING[decided][1]
        why = overlap.inputs() if overlap else {}
        logger.info("speech over the agent", extra={"turn": answer.turn, "verdict": str(decided), **why})
        match decided:
            case Verdict.HOLD:
                answer.playout.hold()
            case Verdict.RESUME:
                answer.playout.resume()
            case _:
                self.interrupt()

    def interrupt(self) -> None:
        """Silence the agent."""
        answer, self._answer = self._answer, None
        if answer is not None:
            self._cut = answer
            self._end(answer)
            self._parts.on_state(PipelineState.LISTENING)

    def give_way(self) -> None:
        """Silence the agent, if the caller may stop it."""
        if self._answer is not None and self._answer.interruptible and self._settings.barge_in.enabled:
            self._do(Verdict.INTERRUPT)

    def again(self) -> None:
        """Play what is being said to another socket of the same caller."""
        if self._answer is not None:
            self._answer.playout.again()

    def hold(self, on: bool) -> None:
        """Stand still while nobody listens."""
        self._on_hold = on
        self._do(Verdict.HOLD if on else Verdict.RESUME)

    # The agent

    def guess(self, turn: int, text: str, voice: bytes = b"") -> None:
        """Let the agent begin on what the caller seems to have said, if the floor is free."""
        free = self._answer is None and not self._cutting  # what was cut off must be in the agent's memory first
        if self._agent is None or not self._settings.speculate or not free or self._guesses >= MAX_GUESSES:
            return
        if self._guess is not None and self._guess.answer.turn == turn and close_enough(self._guess.text, text):
            return
        self._drop_guess()
        self._guesses += 1
        question = self._agent.ask(turn, text, voice=voice, speculative=True)
        self._guess = Guess(text, self._begin(question))
        self._parts.on_progress()

    def goes_on(self, text: str) -> None:
        """Drop the guess if the caller says something else."""
        if self._guess is not None and not close_enough(self._guess.text, text):
            self._drop_guess()

    async def reply(self, turn: int, utterance: Utterance) -> None:
        """Answer what the caller said; with the guess, if that was right."""
        assert self._agent is not None  # noqa: S101 - without one, nobody is asked
        guess, self._guess, self._guesses = self._guess, None, 0
        if guess is not None and utterance.digits is None and _is_right(guess, turn, utterance.text):
            logger.info("guess used", extra={"turn": turn})
            self.take(guess.answer)
            guess.answer.commit(speech_end=utterance.speech_end, decided=utterance.decided)
            await guess.answer.question.commit(utterance.text)
        else:
            self._drop(guess)
            answer = self._begin(self._agent.ask(turn, utterance.text, voice=utterance.voice))
            self.take(answer)
            answer.commit(speech_end=utterance.speech_end, decided=utterance.decided)

    def announce(self, turn: int, text: str) -> asyncio.Task[None]:
        """Say something of our own accord; the task ends when it has been heard or was cut off."""
        answer = self._begin(Announcement(turn, text))
        self.take(answer)
        answer.announce()
        return answer.task

    async def aclose(self) -> None:
        """Fall silent."""
        self._drop_guess()
        self.interrupt()
        await self.settled()

    def _begin(self, question: Question) -> Answer:
        return Answer(question, self._parts)

    def take(self, answer: Answer) -> None:
        """Give an answer the floor; what has it is cut off."""
        self.interrupt()
        self._hand(answer)
        if self._on_hold:
            self._do(Verdict.HOLD)

    def _hand(self, answer: Answer) -> None:
        self._answer, self._playing, self._onset = answer, Playing.ON, None
        answer.task.add_done_callback(lambda _: self._done(answer))

    def _done(self, answer: Answer) -> None:
        if not answer.task.cancelled() and answer.task.exception() is not None:
            logger.error("turn failed", exc_info=answer.task.exception())
        if self._answer is answer:
            answer.playout.resume()  # the caller's side must not stay held for a turn that is over
            self._answer = self._onset = None
            self._on_free()

    def _drop_guess(self) -> None:
        guess, self._guess = self._guess, None
        self._drop(guess)

    def _drop(self, guess: Guess | None) -> None:
        if guess is not None:
            logger.info("guess dropped", extra={"turn": guess.answer.turn})
            self._end(guess.answer)

    def _end(self, answer: Answer) -> None:
        cutting = answer.cut()
        self._cutting[cutting] = answer
        cutting.add_done_callback(self._cutting.pop)
        self._parts.on_progress()


def _is_right(guess: Guess, turn: int, text: str) -> bool:
    return guess.answer.turn == turn and not guess.answer.failed and close_enough(guess.text, text)


def _onset(answer: Answer) -> _Onset:
    return _Onset(answer.playout.played_ms() / 1000, answer.remaining_s, answer.interruptible)


def _overlap(heard: Heard, onset: _Onset, answer: Answer) -> Overlap:
    return Overlap(
        speech_s=heard.speech_s,
        text=heard.text,
        silence_s=heard.silence_s,
        settled=heard.settled,
        heard_s=onset.heard_s,
        remaining_s=onset.remaining_s,
        agent=answer.said,
        interruptible=onset.interruptible and answer.interruptible,
    )
