"""A unit of speech: what was written, and what is spoken for it."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unit:
    """The least that is heard as a whole: mostly a word, or something like ``$20`` that is spoken as two.

    The units of a text cover it completely and in order: joined as they are, ``written`` is the text and ``spoken``
    what the voice is given. White space belongs to the unit before it.
    """

    written: str
    spoken: str
    """Empty for what is not spoken, such as an emoji."""


_WORD = re.compile(r"\s*\S+\s*")


def verbatim(text: str) -> tuple[Unit, ...]:
    """Return the words of a text, spoken as they are written."""
    return tuple(Unit(word, word) for word in _WORD.findall(text))
