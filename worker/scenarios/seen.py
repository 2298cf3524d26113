"""What one caller's conversation came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from worker.scenarios.agent import ScriptedAgent
from worker.scenarios.expectations import Remembered
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
    tts_failures: int = 0
    """How often the voice failed for good, as it was told to."""
    tts_retries: int = 0
    """How often the voice was given a text again on which it had failed."""
    failed: frozenset[int] = frozenset()
    """Turns for which an error was noted."""
    interruptions_told: int = 0
