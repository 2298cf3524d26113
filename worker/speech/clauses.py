"""Cuts an agent's streamed text into pieces that sound right when spoken one after the other."""

from __future__ import annotations

import re
from dataclasses import dataclass

from voicebackend.marks import HOLD, RELEASE
from worker.speech.boundaries import clause_end, last_clause_end, sentence_end
from worker.speech.speakable import speakable
from worker.speech.unit import Unit, verbatim

MAX_PIECE = 300
"""Characters after which a piece is cut at the last space, sentence or not."""
LONG = 180
"""Characters from which on a sentence is cut at its commas: more than ten seconds of speech."""
FIRST_WORDS = 4
"""Words before a comma that make a first clause: fewer sound like a hiccup before the rest comes."""
FIRST_CONJUNCTION_WORDS = 6
"""Words before a conjunction without a comma."""
FENCE = "```"
"""Begins and ends code, which is not spoken."""
_SEAM = re.compile(f"({HOLD}|{RELEASE}|{FENCE})")


@dataclass(frozen=True, slots=True)
class Clause:
    """A piece to be spoken at once."""

    text: str
    """What the agent wrote, without marks and without white space around it."""
    spoken: str
    """What the voice is given; empty if nothing in it can be spoken."""
    units: tuple[Unit, ...]
    """Both, unit by unit."""
    interruptible: bool = True
    """Whether the caller can stop it."""


def made_of(text: str, *, silent: bool = False, interruptible: bool = True, normalise: bool = True) -> Clause:
    """Return the clause of a text; a ``silent`` one is not spoken."""
    units = (Unit(text, ""),) if silent else tuple((speakable if normalise else verbatim)(text))
    return Clause(text, "".join(unit.spoken for unit in units), units, interruptible)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncut:
    """A text's end that makes no clause yet, and what a cutter knows of what comes next."""

    text: str = ""
    interruptible: bool = True
    code: bool = False
    first: bool = True
    """Nothing was spoken before it."""
    before: int = 0
    """Characters of the delta before the one that comes next."""


class ClauseCutter:
    """Text in as it comes, clauses out as early as they sound right."""

    def __init__(self, *, normalise: bool = True, after: Uncut | None = None) -> None:
        """With ``normalise`` off, what is spoken is what was written; ``after`` goes on where another cutter was."""
        self._units = speakable if normalise else verbatim
        after = after or Uncut()
        self._text, self._interruptible, self._code = after.text, after.interruptible, after.code
        self._first, self._before = after.first, after.before

    @property
    def uncut(self) -> Uncut:
        """Return what another cutter needs to go on."""
        return Uncut(
            text=self._text,
            interruptible=self._interruptible,
            code=self._code,
            first=self._first,
            before=self._before,
        )

    def push(self, delta: str) -> list[Clause]:
        """Take more text and return the clauses that are now complete."""
        # Where text comes letter by letter, "example." may be on its way to "example.com".
        certain, self._before = len(delta) > 1 or self._before > 1, len(delta)
        found: list[Clause] = []
        # A fence may have begun in the delta before.
        self._text, tail = self._text[:-2], self._text[-2:]
        parts = _SEAM.split(tail + delta)
        for part, seam in zip(parts[::2], [*parts[1::2], ""], strict=True):
            self._text += part
            found += self._cut_all(certain)
            if seam:
                found += self._pass(seam)
        return found

    def flush(self) -> list[Clause]:
        """Return what is left at the end of the text."""
        rest, self._text = self._text, ""
        return self._clauses(rest)

    def _pass(self, seam: str) -> list[Clause]:
        """Close the segment before a seam; backticks belong to the code, marks to nothing."""
        if seam == FENCE and self._code:
            self._text += FENCE
        found = self.flush()
        if seam == FENCE:
            self._text, self._code = ("" if self._code else FENCE), not self._code
        else:
            self._interruptible = seam == RELEASE
        return found

    def _cut_all(self, certain: bool) -> list[Clause]:
        found: list[Clause] = []
        while (end := self._cut(certain)) is not None:
            piece, self._text = self._text[:end], self._text[end:]
            found += self._clauses(piece)
        return found

    def _cut(self, certain: bool) -> int | None:
        """Return how many characters make a clause now."""
        if self._code:  # the last two may be the beginning of a fence
            return len(self._text) - 2 if len(self._text) > MAX_PIECE else None
        text = self._text[: MAX_PIECE + 1]  # what comes later does not matter yet
        end = sentence_end(text, certain=certain and text == self._text)
        if end is None and self._first:
            end = clause_end(text, words=FIRST_WORDS, conjunction_words=FIRST_CONJUNCTION_WORDS)
        if (end or len(text)) > LONG:
            end = last_clause_end(text, LONG) or end
        if (end or len(text)) > MAX_PIECE:
            space = text.rfind(" ", 1, MAX_PIECE)
            end = space if space > 0 else MAX_PIECE
        return end

    def _clauses(self, piece: str) -> list[Clause]:
        text = piece.strip()
        if not text:
            return []
        units = (Unit(text, ""),) if self._code else self._units(text)
        spoken = "".join(unit.spoken for unit in units)
        self._first = self._first and not spoken
        return [Clause(text, spoken, units, self._interruptible)]
