"""Engine ``dangling``: whoever stops at "and" or "my name is" has more to say. English; reads only the transcript."""

from __future__ import annotations

import re

from providers.engines.turn.unfinished import (
    ALONE,
    ALWAYS,
    ASKING,
    CONTRACTED,
    HOLDS,
    OPENINGS,
    OUTSIDE_QUESTIONS,
    SUBJECT,
)
from voicebackend.interfaces import TurnDetector, TurnEvidence

QUESTION = 0.99
"""Hands the word over."""
FINISHED = 0.98
"""A statement that lacks nothing; another may follow it."""
BARE = 0.7
"""No mark at the end, from a recogniser that sets marks."""
TRAILING = 0.4
"""After a comma or dash: recognisers set them at the end of whole sentences too."""
HOLDING = 0.25
"""Asks for patience, or lacks what it is about."""
DANGLING = 0.2

_LOOKED_AT = 200
"""Characters at the end of a text that are looked at: a caller may speak for minutes."""
_MARKS = " .,;:!?…-–—\"'"
_PATTERN = re.compile(rf"(?:.* )?(?:{'|'.join((*HOLDS, *OPENINGS))})|(?:\S+ )?{SUBJECT}")
_SENTENCE_ENDS = re.compile(r"(?<=[.?!])\s+")


class DanglingTurn(TurnDetector):
    """Rules: free, and on broken-off sentences as good as small models."""

    name = "dangling"

    async def end_of_turn(self, evidence: TurnEvidence) -> float:
        """Return 0.2 if the last word wants another, 0.98 for a whole statement, 0.99 for a question."""
        return finished(evidence.text)


def finished(text: str) -> float:
    """Return the probability that a text is all that its speaker wants to say."""
    said = text.strip()[-_LOOKED_AT:].replace("’", "'")
    sentence = _SENTENCE_ENDS.split(said)[-1]
    words = _words(sentence)
    asked = sentence.endswith("?")
    if _wants_more(words, asks=asked and not ASKING.isdisjoint(words)):
        return DANGLING
    if _begins([] if asked else words, _words(re.split(r"[,;:]", sentence.rstrip(_MARKS))[-1])):
        return HOLDING
    if asked:
        return QUESTION
    if said.endswith((",", ";", ":", "-", "–", "—", "...", "…")):
        return TRAILING
    return FINISHED if said.endswith((".", "!")) or not _has_marks(said) else BARE


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z']+|[^\sa-z]", text.lower().rstrip(_MARKS))


def _wants_more(words: list[str], *, asks: bool) -> bool:
    last = words[-1] if words else ""
    return last in ALWAYS or last.endswith(CONTRACTED) or (last in OUTSIDE_QUESTIONS and not asks)


def _begins(sentence: list[str], clause: list[str]) -> bool:
    """Return whether this is only the beginning of something, or asks for patience."""
    return (len(clause) == 1 and clause[0] in ALONE) or _PATTERN.fullmatch(" ".join(sentence)) is not None


def _has_marks(said: str) -> bool:
    """Return whether the recogniser writes as people do, so that a missing full stop tells something."""
    return said[:1].isupper() or any(mark in said for mark in ".,?!")
