"""An answer's text on its way to the voice: the agent's deltas cut into clauses, with filler and apology."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from voicebackend.conversation import Conversation
from voicebackend.errors import AgentError, VoiceBackendError
from worker.pipelines.deltas import Slow, patiently
from worker.pipelines.parts import Question
from worker.pipelines.resumption import Resumption, clause_snapshot, pace, sayings, take_up
from worker.pipelines.saying import Saying
from worker.pipelines.snapshot import MAX_TEXT, AnswerSnapshot, ClauseSnapshot
from worker.speech.clauses import Clause, ClauseCutter, made_of
from worker.speech.heard import TOLERANCE_MS

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextEvents:
    """Who hears of what happens to a text."""

    on_text: Callable[[], None]
    """The agent's next words are there."""
    on_clause: Callable[[Saying], None]
    """A clause goes to the voice, or had gone to another worker's."""
    on_failed: Callable[[VoiceBackendError], Awaitable[None]]
    """The agent failed, and its turn is committed."""


class AnswerText:
    """One answer's; another worker's goes on where that was."""

    def __init__(
        self,
        question: Question,
        settings: Conversation,
        committed: asyncio.Event,
        events: TextEvents,
        resumed: Resumption | None = None,
    ) -> None:
        self._question, self._settings, self._committed, self._events = question, settings, committed, events
        self.sayings: list[Saying] = []
        """What went to the voice, or had gone to it, in order."""
        self.failed: VoiceBackendError | None = None
        self._waiting: deque[Clause] = deque()
        self._cutter = ClauseCutter(normalise=settings.normalise)
        self._taken = 0
        self._begun = self._over = False
        self._received_ms = 0.0
        if resumed is not None:
            self._resume(resumed)

    def _resume(self, resumed: Resumption) -> None:
        snapshot, normalise = resumed.snapshot, self._settings.normalise
        self.sayings = sayings(snapshot.clauses, resumed.received_ms, normalise=normalise)
        self._waiting.extend(
            made_of(clause.text, silent=clause.silent, interruptible=clause.interruptible, normalise=normalise)
            for clause in snapshot.waiting
        )
        self._cutter = ClauseCutter(normalise=normalise, after=snapshot.uncut)
        self._begun, self._over = snapshot.begun, snapshot.over
        self._received_ms = resumed.received_ms

    def snapshot(self) -> AnswerSnapshot:
        """Return the text as another worker has to know it; what was heard long ago of a very long one is left out."""
        return AnswerSnapshot(
            question=self._question.snapshot(self._taken),
            clauses=tuple(self._latest()),
            waiting=tuple(
                ClauseSnapshot(text=clause.text, silent=not clause.spoken, interruptible=clause.interruptible)
                for clause in self._waiting
            ),
            uncut=self._cutter.uncut,
            begun=self._begun,
            over=self._over,
        )

    @property
    def waiting(self) -> str:
        """Return what the agent has written that has not gone to the voice."""
        return " ".join(filter(None, (*(clause.text for clause in self._waiting), self._cutter.uncut.text.strip())))

    def _latest(self) -> list[ClauseSnapshot]:
        """Return the clauses that lie within the last ``MAX_TEXT`` characters."""
        kept: list[ClauseSnapshot] = []
        left = MAX_TEXT
        for saying in reversed(self.sayings):
            left -= len(saying.clause.text)
            if left < 0 and saying.complete:
                break
            kept.append(clause_snapshot(saying))
        return kept[::-1]

    async def stream(self) -> AsyncGenerator[Saying, None]:
        """Yield what the voice is to say. An agent that fails is told of, and apologised for."""
        for saying in [saying for saying in self.sayings if not saying.complete]:
            yield saying
        for saying in self._due():
            yield saying
        if self._over:
            return
        try:
            async with aclosing(self._agent_text()) as found:
                async for saying in found:
                    yield saying
        except VoiceBackendError as error:
            self.failed = error
        except Exception as error:
            logger.exception("agent's text could not be spoken", extra={"turn": self._question.turn})
            self.failed = AgentError("agent", type(error).__name__)
        if self.failed is not None:
            await self._apologise(self.failed)
            for saying in self._due():
                yield saying

    async def _apologise(self, failed: VoiceBackendError) -> None:
        """Tell that the agent failed, once the turn is certain; the apology is what is said last."""
        logger.warning("agent failed", extra={"turn": self._question.turn, "error_code": str(failed.code)})
        await self._committed.wait()
        await self._events.on_failed(failed)
        self._waiting.extend([*self._cutter.flush(), *self._fixed(self._settings.apology)])
        self._over = True

    async def _agent_text(self) -> AsyncGenerator[Saying, None]:
        filler = self._settings.filler
        after_s = None if filler.after is None or self._begun else filler.after.total_seconds()
        text = filler.texts[self._question.turn % len(filler.texts)]
        async with aclosing(patiently(self._question.deltas(), after_s, text, self._committed)) as deltas:
            async for delta in deltas:
                self._begun = True
                self._waiting.extend(self._fixed(delta.text) if isinstance(delta, Slow) else self._cut(delta))
                for saying in self._due():
                    yield saying
        self._waiting.extend(self._cutter.flush())
        for saying in self._due():
            yield saying
        if any(said.clause.text for said in self.sayings) and not any(said.clause.spoken for said in self.sayings):
            raise AgentError("agent", "nothing in the answer can be spoken")
        self._over = True

    def _cut(self, delta: str) -> list[Clause]:
        self._taken += 1
        self._events.on_text()
        return self._cutter.push(delta)

    def _due(self) -> Iterator[Saying]:
        """Take clauses off as the voice comes for them; what the caller's side has whole is not said again."""
        while self._waiting:
            saying = Saying(self._waiting.popleft())
            if self._received_ms and (at := _end_ms(self.sayings)) < self._received_ms - TOLERANCE_MS:
                take_up(saying, at, self._received_ms, pace(self.sayings))
            self.sayings.append(saying)
            self._events.on_clause(saying)
            if not saying.complete:
                yield saying

    def _fixed(self, text: str | None) -> list[Clause]:
        """Return the clauses of a text of ours."""
        cutter = ClauseCutter(normalise=self._settings.normalise)
        return [*cutter.push(text), *cutter.flush()] if text else []


def _end_ms(made: Sequence[Saying]) -> float:
    """Return where the audio of the last of them ends."""
    at = 0.0
    for saying in made:
        at = (at if saying.start_ms is None else saying.start_ms) + saying.made_ms
    return at
