"""What the log is told of an answer beside its text: when its words were heard, and which never were."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from worker.pipelines.playout import Playout
from worker.pipelines.saying import Saying
from worker.speech.heard import HeardClause, heard_clauses, unheard_text


def as_heard(
    sayings: Sequence[Saying], played_ms: float, playout: Playout, moment_of: Callable[[float], int]
) -> dict[str, Any]:
    """Return ``spoken``: clause by clause ``text``, ``from``, ``to``, and ``words`` where the voice told their times.

    ``moment_of`` brings a moment of the loop's clock to that of the log, in milliseconds. Nothing is returned of an
    answer that was never sent.
    """
    sent = [saying.spoken(saying.start_ms) for saying in sayings if saying.start_ms is not None]

    def at(ms: float) -> int:
        return moment_of(playout.heard_at(ms) or 0.0)

    def told(clause: HeardClause) -> dict[str, Any]:
        begins = clause.start_ms
        words = [[word.word, at(begins + word.start_s * 1000), at(begins + word.end_s * 1000)] for word in clause.words]
        entry = {"text": clause.text, "from": at(begins), "to": at(clause.end_ms)}
        return {**entry, "words": words} if words else entry

    if playout.heard_at(0.0) is None:
        return {}
    return {"spoken": [told(clause) for clause in heard_clauses(sent, played_ms)]}


def cut_short(
    sayings: Sequence[Saying], waiting: str, played_ms: float, playout: Playout, moment_of: Callable[[float], int]
) -> dict[str, Any]:
    """Return ``cut``, when the caller had the agent fall silent, and ``unheard``, what it would have said yet.

    ``waiting`` is what had not gone to the voice; what the agent had not written nobody knows.
    """
    sent = [saying.spoken(saying.start_ms) for saying in sayings if saying.start_ms is not None]
    unsent = [saying.clause.text for saying in sayings if saying.start_ms is None]
    unheard = " ".join(filter(None, (unheard_text(sent, played_ms), *unsent, waiting)))
    moment = playout.heard_at(played_ms)
    cut = {} if moment is None else {"cut": moment_of(moment)}
    return {**cut, "unheard": unheard} if unheard else cut
