"""A clause on its way to the caller: how much of its audio was made, and where in the turn's audio it lies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from voicebackend.interfaces import WordTime
from worker.speech.clauses import Clause
from worker.speech.heard import Seam, SpokenClause, heard_text


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
    seams: tuple[Seam, ...] = ()
    """Where a voice took over from another worker's."""

    @property
    def unsaid(self) -> str:
        """Return what the voice is to be given."""
        if not self.seams:
            return self.clause.spoken
        return self.clause.spoken.encode("utf-8", "replace")[self.seams[-1].place :].decode("utf-8", "replace")

    @property
    def resumed_ms(self) -> float:
        """Return how much of its audio other workers had sent."""
        return self.seams[-1].ms if self.seams else 0.0

    def spoken(self, start_ms: float) -> SpokenClause:
        """Return it as it was sent."""
        return SpokenClause(self.clause, start_ms, self.made_ms, tuple(self.words), self.complete, self.seams)


def heard(sayings: Sequence[Saying], played_ms: float) -> str:
    """Return what of the agent's text was heard once this much of the turn's audio was played."""
    sent = [saying.spoken(saying.start_ms) for saying in sayings if saying.start_ms is not None]
    return heard_text(sent, played_ms)


def written(sayings: Sequence[Saying]) -> str:
    """Return the text of what was begun, whole."""
    return " ".join(saying.clause.text for saying in sayings if saying.start_ms is not None)
