"""What became of the caller's turns: completed, failed because the script says so, or neither."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from worker.scenarios.sightings import Kind

if TYPE_CHECKING:
    from worker.scenarios.agent import ScriptedQuestion
    from worker.scenarios.seen import Seen
    from worker.scenarios.timeline import Event

_CUTS_IN = frozenset({Kind.SAYS, Kind.NOISE, Kind.PRESSES})
"""What a caller does who does not wait for the answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How many turns of one caller, or of several."""

    turns: int = 0
    """Understood: every one of them ought to be answered."""
    as_scripted: int = 0
    """Failed because the agent or the voice was told to; they say nothing of the product."""
    completed: int = 0
    """Answered: the agent was heard, chose to say nothing, or was interrupted by the caller before a sound."""
    retries: int = 0
    """How often something had to be done again: a clause made, a recogniser opened, an agent asked."""

    @property
    def without_retry(self) -> int:
        """How many were completed at the first try; every retry counts as a turn's of its own."""
        return max(0, self.completed - self.retries)

    @property
    def share(self) -> float | None:
        """Of the turns that were not told to fail, those completed without retry, 0 to 1; None if there are none."""
        told = self.turns - self.as_scripted
        return self.without_retry / told if told else None

    def __add__(self, other: Outcome) -> Outcome:
        return Outcome(
            turns=self.turns + other.turns,
            as_scripted=self.as_scripted + other.as_scripted,
            completed=self.completed + other.completed,
            retries=self.retries + other.retries,
        )


def outcome(seen: Seen) -> Outcome:
    """Return what became of one caller's turns."""
    turns = {turn for turn, line in seen.history if line.role == "user"}
    failed = seen.failed & turns
    return Outcome(
        turns=len(turns),
        as_scripted=_as_scripted(seen, failed),
        completed=len((turns - failed) & (set(seen.heard) | _silent(seen) | _interrupted(seen))),
        retries=seen.tts_retries + max(0, seen.stt_streams - 1) + asked_again(seen.agent.questions),
    )


def total(outcomes: Iterable[Outcome]) -> Outcome:
    """Return the sum."""
    return sum(outcomes, Outcome())


def asked_again(questions: Iterable[ScriptedQuestion]) -> int:
    """Return how many questions were asked for a turn that had been committed already."""
    certain, again = set[int](), 0
    for question in questions:
        again += question.turn in certain
        if question.committed:
            certain.add(question.turn)
    return again


def _as_scripted(seen: Seen, failed: frozenset[int]) -> int:
    """Return how many of the failed turns were told to; a voice knows no turns, so its failures are counted off."""
    by_agent = failed & {question.turn for question in seen.agent.questions if question.failed}
    return len(by_agent) + min(len(failed - by_agent), seen.tts_failures)


def _silent(seen: Seen) -> set[int]:
    return {question.turn for question in seen.agent.questions if question.committed and question.said_nothing}


def _interrupted(seen: Seen) -> set[int]:
    """Return the turns whose answer was taken back as the caller spoke; to hang up is not to interrupt."""
    return {
        question.turn
        for question in seen.agent.questions
        if question.committed_at is not None
        and question.cancelled_at is not None
        and _cuts_in(seen.events, question.committed_at, question.cancelled_at)
    }


def _cuts_in(events: Sequence[Event], start: float, end: float) -> bool:
    """Tell whether the caller was saying something at the start, or began to before the end."""
    voice = [event.kind for event in events if event.at < start and event.kind in {Kind.SAYS, Kind.SAID}]
    talking = voice[-1:] == [Kind.SAYS]
    return talking or any(start <= event.at <= end and event.kind in _CUTS_IN for event in events)
