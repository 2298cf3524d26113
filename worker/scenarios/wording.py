"""Whether what a recogniser heard is what was said: letters count, not how words are written."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

from voicebackend.cli.words import words
from worker.speech.numbers import cardinal

ALIKE = 0.75
"""Share of the letters that must agree."""
_RUN = 3
"""Letters in a row that are no coincidence."""
_MONEY = re.compile(r"\$(\d+)")
_LONGEST_NUMBER = 9
"""Digits of a number that is said as one."""


def alike(wanted: str, found: str) -> bool:
    """Tell whether two texts sound alike."""
    return any(_ratio(ours, theirs) >= ALIKE for ours in _spellings(wanted) for theirs in _spellings(found))


def begins(found: str, wanted: str) -> bool:
    """Tell whether a text begins like another."""
    return any(
        ours[:1] == theirs[:1] and _ratio(ours, theirs[: len(ours)]) >= ALIKE
        for ours in _spellings(wanted)
        for theirs in _spellings(found)
    )


def has(found: str, wanted: str) -> bool:
    """Tell whether a text has another in it, or something that sounds like it."""
    return any(
        _shared(ours, theirs) >= ALIKE * len(ours) for ours in _spellings(wanted) for theirs in _spellings(found)
    )


def _ratio(ours: str, theirs: str) -> float:
    return 1.0 if ours == theirs else SequenceMatcher(None, ours, theirs, autojunk=False).ratio()


def _shared(ours: str, theirs: str) -> int:
    blocks = SequenceMatcher(None, theirs, ours, autojunk=False).get_matching_blocks()
    return sum(block.size for block in blocks if block.size >= min(_RUN, len(ours)))


def _spellings(text: str) -> set[str]:
    """Return a text's letters in a row: its numbers as one would say them, and digit by digit."""
    found = words(_MONEY.sub(r"\1 dollars", text))
    return {"".join(map(spell, found)) for spell in (_number, _digits)}


def _number(word: str) -> str:
    said = cardinal(int(word)) if word.isascii() and word.isdecimal() and len(word) <= _LONGEST_NUMBER else word
    return "".join(filter(str.isalnum, said))


def _digits(word: str) -> str:
    return "".join(cardinal(int(mark)) if mark in "0123456789" else mark for mark in word if mark.isalnum())
