"""What one caller's conversation came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from worker.scenarios.agent import ScriptedAgent
from worker.scenarios.expectations import Remembered
from worker.scenarios.sightings import Kind
from worker.scenarios.timeline import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """All that expectations are about."""

    number: int
    """Of the caller, from 1."""
    events: Sequence[Event]
    """In the order in which they happened."""
    problems: list[str]
    """What must never happen, whatever is expected."""
    history: Sequence[tuple[int, Remembered]]
    """What the agent remembers, with the turn of each line."""
    heard: Mapping[int, str]
    """What was heard of each turn of the agent, in whole words."""
    begun: Mapping[int, str]
    """The word that had begun when a turn was cut off, as far as it was heard."""
    agent: ScriptedAgent
    seconds: float
    """How long the conversation was."""
    late: int
    """Frames that came after the caller's buffer had run dry."""
    stt_streams: int = 0
    interruptions_told: int = 0

    @property
    def turns(self) -> int:
        """How many turns of the caller were understood."""
        return sum(event.kind is Kind.UNDERSTOOD for event in self.events)

    @property
    def retries(self) -> int:
        """How many questions were asked again for a turn that was certain already."""
        certain = [question.turn for question in self.agent.questions if question.committed]
        return len(certain) - len(set(certain))
