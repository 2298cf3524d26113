"""Where an answer goes on that another worker was speaking: from the first word that the caller did not get. Pure.

A voice never makes the same audio twice, so text decides: what lies whole within the milliseconds that were received is
said; the word that was cut off is said again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from worker.pipelines.saying import Saying, heard
from worker.pipelines.snapshot import AnswerSnapshot, ClauseSnapshot, Standing
from worker.speech.clauses import Uncut, made_of
from worker.speech.heard import TOLERANCE_MS, TYPICAL_MS, SpokenClause, seam_at, size

MARGIN = 1.4
"""Times as long as reckoned a clause is taken to be whose length is not known: rather a word twice than none."""
MOST_MS = 250.0
"""Of speech for a byte of text: a voice that seems slower than this was waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resumption:
    """An answer to go on with, in milliseconds of its audio."""

    snapshot: AnswerSnapshot
    received_ms: float = 0.0
    played_ms: float = 0.0
    held: bool = False
    """The caller's side stands still."""


def resumption(snapshot: AnswerSnapshot, standing: Standing | None) -> Resumption:
    """Return how to go on by what the caller's side told; where it told nothing, what was sent counts as received."""
    if standing is None or standing.turn > snapshot.turn:
        return Resumption(snapshot=snapshot, received_ms=snapshot.sent_ms, played_ms=snapshot.sent_ms)
    if standing.turn < snapshot.turn:
        return Resumption(snapshot=snapshot, received_ms=snapshot.base_ms, played_ms=snapshot.base_ms)
    base = snapshot.base_ms
    received, played = base + standing.received_ms, base + standing.played_ms
    return Resumption(snapshot=snapshot, received_ms=received, played_ms=played, held=standing.paused)


def clause_snapshot(saying: Saying) -> ClauseSnapshot:
    """Return a clause as another worker has to know it."""
    clause = saying.clause
    return ClauseSnapshot(
        text=clause.text,
        silent=not clause.spoken,
        interruptible=clause.interruptible,
        start_ms=saying.start_ms,
        made_ms=round(saying.made_ms, 1),
        complete=saying.complete,
        words=tuple(saying.words),
        seams=saying.seams,
    )


def sayings(clauses: Sequence[ClauseSnapshot], received_ms: float, *, normalise: bool) -> list[Saying]:
    """Return an answer's clauses; those that are not complete have to be spoken, from their last seam."""
    made = [_saying(clause, normalise=normalise) for clause in clauses]
    pace_ms, at = pace(made), 0.0
    for saying in made:
        at = saying.start_ms if saying.start_ms is not None else at
        take_up(saying, at, received_ms, pace_ms)
        at += saying.made_ms
    return made


def as_received(resumed: Resumption) -> AnswerSnapshot:
    """Return an answer as if no more had been meant to be said than the caller's side has got."""
    text = heard(sayings(resumed.snapshot.clauses, resumed.received_ms, normalise=False), resumed.received_ms)
    clause = ClauseSnapshot(text=text, start_ms=0.0, made_ms=resumed.received_ms, complete=True)
    return replace(resumed.snapshot, clauses=(clause,) if text else (), waiting=(), uncut=Uncut(), over=True)


def pace(made: Sequence[Saying]) -> float:
    """Return the milliseconds that the voice takes for a byte of text, by the clauses it has made."""
    whole = [saying for saying in made if saying.complete and saying.clause.spoken]
    if not whole:
        return TYPICAL_MS
    return min(MOST_MS, sum(saying.made_ms for saying in whole) / sum(size(saying.clause.spoken) for saying in whole))


def take_up(saying: Saying, start_ms: float, received_ms: float, pace_ms: float) -> None:
    """Mark what of a clause, whose audio begins at ``start_ms``, was received; its length is reckoned if not known."""
    if received_ms <= start_ms:
        saying.start_ms, saying.made_ms, saying.complete, saying.seams = None, 0.0, False, ()
        saying.words.clear()
        return
    reckoned_ms = saying.resumed_ms + size(saying.unsaid) * pace_ms * MARGIN
    length_ms = saying.made_ms if saying.complete else max(saying.made_ms, reckoned_ms)
    spoken = SpokenClause(saying.clause, start_ms, length_ms, tuple(saying.words), True, saying.seams)
    seam = None if received_ms >= start_ms + length_ms - TOLERANCE_MS else seam_at(spoken, received_ms)
    saying.start_ms = start_ms
    if seam is None:
        saying.made_ms, saying.complete = length_ms, True
        return
    saying.seams += (seam,)
    saying.made_ms, saying.complete = seam.ms, False
    forget_unsaid(saying)


def forget_unsaid(saying: Saying) -> None:
    """Forget when words sounded that are to be made anew."""
    said_s = saying.seams[-1].said_ms / 1000 if saying.seams else 0.0
    saying.words[:] = [word for word in saying.words if saying.seams and word.end_s <= said_s + TOLERANCE_MS / 1000]


def _saying(clause: ClauseSnapshot, *, normalise: bool) -> Saying:
    return Saying(
        made_of(clause.text, silent=clause.silent, interruptible=clause.interruptible, normalise=normalise),
        start_ms=clause.start_ms,
        made_ms=clause.made_ms,
        complete=clause.complete,
        words=list(clause.words),
        seams=clause.seams,
    )
