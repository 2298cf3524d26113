"""What the caller heard of what the agent wrote."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from voicebackend.interfaces.tts import WordTime
from worker.speech.clauses import Clause

TOLERANCE_MS = 20.0
"""A word counts this much before its end: what is played is told in frames of 20 ms, so up to one is not told yet; and
who hears all but the last 20 ms of a word has heard the word."""
TYPICAL_MS = 60.0
"""Of speech for a byte of text, to reckon how long a clause will be whose audio is not complete."""


@dataclass(frozen=True, slots=True)
class Seam:
    """Where the voice was cut off within a clause, and another run of it went on with the word that was cut off."""

    place: int
    """In ``spoken``, in bytes of UTF-8: where that word begins."""
    said_ms: float
    """When the word before had ended, in milliseconds of the clause's audio."""
    ms: float
    """Where the other run begins."""


@dataclass(frozen=True, slots=True)
class SpokenClause:
    """A clause that was begun to be spoken, and when."""

    clause: Clause
    start_ms: float
    """Where its audio starts within the answer's, in milliseconds of playout."""
    ms: float
    """Length of its audio as far as it has been made."""
    words: tuple[WordTime, ...] = ()
    """When words of its ``spoken`` text sound, from the start of its audio; as many as are known."""
    complete: bool = True
    """Whether its audio is all made; if not, how long it will be is reckoned."""
    seams: tuple[Seam, ...] = ()
    """Where another run of the voice went on with it."""


@dataclass(frozen=True, slots=True)
class HeardClause:
    """What was heard of a clause, and when, in milliseconds of the answer's playout."""

    text: str
    start_ms: float
    end_ms: float
    words: tuple[WordTime, ...] = ()
    """Of them, those whose times are known; seconds from the start of the clause."""


@dataclass(frozen=True, slots=True)
class _Heard:
    """A unit and when it has been played to its end; None for what makes no sound."""

    clause: int
    written: str
    end_ms: float | None


def heard_text(spoken: Sequence[SpokenClause], played_ms: float) -> str:
    """Return the beginning of what the agent wrote that was heard, to the word, when this much of it was played.

    A unit that is spoken as several words ("$20") is heard only as a whole. What makes no sound, such as an emoji, goes
    with the word that follows it, at the end of the answer with the last word.
    """
    units, heard = _parted(spoken, played_ms)
    return _joined(units[:heard])


def unheard_text(spoken: Sequence[SpokenClause], played_ms: float) -> str:
    """Return the rest of what the agent wrote."""
    units, heard = _parted(spoken, played_ms)
    return _joined(units[heard:]).lstrip()


def heard_clauses(spoken: Sequence[SpokenClause], played_ms: float) -> list[HeardClause]:
    """Return clause by clause what was heard, and when; the last one may be a part."""
    units, heard = _parted(spoken, played_ms)
    found = []
    for at, clause in enumerate(spoken):
        mine = [unit for unit in units[:heard] if unit.clause == at]
        end_ms = max((unit.end_ms for unit in mine if unit.end_ms is not None), default=clause.start_ms)
        if text := _joined(mine):
            latest_s = (end_ms + TOLERANCE_MS - clause.start_ms) / 1000
            words = tuple(word for word in clause.words if word.end_s <= latest_s)
            found.append(HeardClause(text, clause.start_ms, end_ms, words))
    return found


def _parted(spoken: Sequence[SpokenClause], played_ms: float) -> tuple[list[_Heard], int]:
    """Return all units, and how many of them were heard."""
    units = [unit for at, clause in enumerate(spoken) for unit in _units(at, clause)]
    ends = [(at, unit.end_ms) for at, unit in enumerate(units) if unit.end_ms is not None]
    heard = 0
    for at, end in ends:
        if played_ms <= 0 or end > played_ms + TOLERANCE_MS:
            break
        heard = len(units) if at == ends[-1][0] else at + 1
    return units, heard


def seam_at(spoken: SpokenClause, played_ms: float) -> Seam | None:
    """Return where the voice has to go on if it was cut off when so much of the answer's audio was there.

    None if nothing of the clause is missing. Milliseconds of a seam count from the start of the clause.
    """
    place, said_ms = 0, 0.0
    cut_ms = max(0.0, played_ms - spoken.start_ms)
    for unit, timed in zip(spoken.clause.units, _units(0, spoken), strict=True):
        if timed.end_ms is not None:
            if timed.end_ms > played_ms + TOLERANCE_MS:
                return Seam(place, min(said_ms, cut_ms), cut_ms)
            said_ms = timed.end_ms - spoken.start_ms
        place += _size(unit.spoken)
    return None


def size(text: str) -> int:
    """Return how long a text takes to say, in no unit: bytes of UTF-8."""
    return _size(text)


def _units(at: int, spoken: SpokenClause) -> Iterator[_Heard]:
    """Yield a clause's units with their ends, which never go back."""
    text = spoken.clause.spoken
    if not text.strip() or (spoken.complete and spoken.ms <= 0):
        yield from (_Heard(at, unit.written, None) for unit in spoken.clause.units)
        return
    clock, position, last = _Clock(spoken), 0, 0.0
    for unit in spoken.clause.units:
        end = position + _size(unit.spoken.rstrip())
        position += _size(unit.spoken)
        last = max(last, clock.at(end))
        yield _Heard(at, unit.written, spoken.start_ms + last if unit.spoken.strip() else None)


class _Clock:
    """When each place of a spoken text sounds: known at the ends of timed words, evenly in between.

    Places are counted in bytes of UTF-8. For English that is characters; a Chinese character takes three, and about as
    long to say as three letters.
    """

    def __init__(self, spoken: SpokenClause) -> None:
        text = spoken.clause.spoken
        total, ms = _size(text), spoken.ms
        if not spoken.complete:
            last = spoken.seams[-1] if spoken.seams else Seam(0, 0.0, 0.0)
            ms = max(ms, last.ms + (total - last.place) * TYPICAL_MS)
        self._places, self._times = [0], [0.0]
        seams = [(seam.place, end_ms) for seam in spoken.seams for end_ms in (seam.said_ms, seam.ms)]
        known = sorted((*_timed(text, spoken.words), *seams)) if seams else _timed(text, spoken.words)
        places = {seam.place for seam in spoken.seams}
        for place, end_ms in (*known, (total, ms)):
            if place > self._places[-1] or (place in places and place == self._places[-1]):
                self._places.append(place)
                self._times.append(max(self._times[-1], min(end_ms, ms)))

    def at(self, place: int) -> float:
        """Return milliseconds from the start of the clause's audio."""
        after = max(1, bisect_left(self._places, place))  # at a seam: when what is before it had ended
        (left, right), (start, end) = self._places[after - 1 : after + 1], self._times[after - 1 : after + 1]
        if left == right:
            return start
        return start + (end - start) * (place - left) / (right - left)


def _timed(text: str, words: Sequence[WordTime]) -> Iterator[tuple[int, float]]:
    """Yield where in the text each timed word ends, with the marks behind it, and when."""
    lowered = text.lower() if len(text.lower()) == len(text) else text
    position = 0
    for timed in words:
        word = timed.word.lower().strip()
        found = lowered.find(word, position) if word else -1
        if found < 0:
            continue
        position = found + len(word)
        while position < len(text) and not (text[position].isalnum() or text[position].isspace()):
            position += 1
        yield _size(text[:position]), timed.end_s * 1000


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _joined(units: Sequence[_Heard]) -> str:
    """Return what the units were written as; clauses are told apart by a space."""
    text = ""
    for at, unit in enumerate(units):
        new = at > 0 and unit.clause != units[at - 1].clause
        text += (" " if new else "") + unit.written
    return text.rstrip()
