"""A clause on its way to the caller: how much of its audio was made, and where in the turn's audio it lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from voicebackend.interfaces import WordTime
from worker.speech.clauses import Clause
from worker.speech.heard import SpokenClause, heard_text


@dataclass(slots=True)
class Saying:
    """Grows while its clause is synthesised; times are milliseconds of the turn's audio."""

    clause: Clause
    start_ms: float | None = None
    """Where its first frame was sent; None before that."""
    made_ms: float = 0.0
    complete: bool = False
    """All of its audio was made."""
    words: list[WordTime] = field(default_factory=list)

    def spoken(self, start_ms: float) -> SpokenClause:
        """Return it as it was sent."""
        return SpokenClause(self.clause, start_ms, self.made_ms, tuple(self.words), self.complete)


def heard(sayings: Sequence[Saying], played_ms: float) -> str:
    """Return what of the agent's text was heard once this much of the turn's audio was played."""
    sent = [saying.spoken(saying.start_ms) for saying in sayings if saying.start_ms is not None]
    return heard_text(sent, played_ms)


def written(sayings: Sequence[Saying]) -> str:
    """Return the text of what was begun, whole."""
    return " ".join(saying.clause.text for saying in sayings if saying.start_ms is not None)
