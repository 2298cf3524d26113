"""A floor that another worker can take over with all that is on it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any

from worker.pipelines.announcement import Announcement
from worker.pipelines.answer import Answer
from worker.pipelines.floor import Floor, Guess
from worker.pipelines.parts import Question
from worker.pipelines.resumption import Resumption, resumption
from worker.pipelines.snapshot import AnswerSnapshot, DialogueSnapshot, Standing
from worker.turns.barge_in import Playing, Verdict

MAX_CUT = 2
"""Answers that were cut off and are carried over before they are noted down."""


class ResumableFloor(Floor):
    """One session's."""

    _resumed: Answer | None = None
    """Another worker's, until the caller's audio that it had heard was heard again."""

    untold: Coroutine[Any, Any, None] | None = None
    """Tells the agent that its turn is over, where the worker before did not come to that."""

    def snapshot(self, before: DialogueSnapshot) -> DialogueSnapshot:
        """Return what was told of the conversation, with who has the floor."""
        cut = [answer for answer in self._cutting.values() if answer.committed]
        guess = self._guess
        return replace(
            before,
            answer=None if self._answer is None else self._answer.snapshot(),
            guess=None if guess is None else guess.answer.snapshot(),
            guess_text="" if guess is None else guess.text,
            guesses=self._guesses,
            attempts=(0, 0, 0) if self._agent is None else self._agent.attempts,
            cut=tuple(answer.snapshot() for answer in cut[-MAX_CUT:]),
        )

    def resume(self, snapshot: DialogueSnapshot, standing: Standing | None) -> None:
        """Go on with what another worker had begun; it is heard further from ``go_on``."""
        if self._agent is not None:
            self._agent.counted(*snapshot.attempts)
        for cut in snapshot.cut:
            self._cut = Answer(self._asked(cut), self._parts, resumption(cut, standing))
            self._end(self._cut)
        self._guesses = snapshot.guesses
        if snapshot.guess is not None and snapshot.guess.question.task is not None:
            answer = Answer(self._asked(snapshot.guess), self._parts, Resumption(snapshot=snapshot.guess))
            self._guess = Guess(snapshot.guess_text, answer)
        if snapshot.answer is not None:
            resumed = resumption(snapshot.answer, standing)
            self._resumed = answer = Answer(self._asked(snapshot.answer), self._parts, resumed)
            self._hand(answer)
            self._playing = Playing.HELD if resumed.held else Playing.ON
            self._commit_again(answer, snapshot.answer)
        self._on_hold = snapshot.on_hold or snapshot.away
        if self._on_hold:
            self._do(Verdict.HOLD)

    def _commit_again(self, answer: Answer, snapshot: AnswerSnapshot) -> None:
        """Have the agent told that its turn is over, if the worker before did not come to that."""
        task = snapshot.question.task
        if snapshot.committed and task is not None and not task.committed:
            self.untold = answer.question.commit(task.transcript)

    def go_on(self, *, speech: bool) -> None:
        """Let what another worker had begun be heard; ``speech`` of the caller over it decides by itself."""
        answer, self._resumed = self._resumed, None
        if answer is None or answer is not self._answer:
            return
        if not speech and self._onset is None:
            self._do(Verdict.RESUME)
        answer.go_on()

    def _asked(self, snapshot: AnswerSnapshot) -> Question:
        if snapshot.question.task is None or self._agent is None:
            return Announcement(snapshot.turn, snapshot.question.text)
        return self._agent.resume(snapshot.question)

    def abandon(self) -> list[asyncio.Task[Any]]:
        """Stop without a word, and without a note: another worker goes on. Returns the tasks that end."""
        guess = None if self._guess is None else self._guess.answer
        answers = [self._answer, guess, *self._cutting.values()]
        tasks = [task for answer in answers if answer is not None for task in answer.abandon()]
        tasks += self._cutting
        self._answer = self._guess = None
        for task in tasks:
            task.cancel()
        return tasks
