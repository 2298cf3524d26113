"""From the times of characters to the times of words; pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from voicebackend.interfaces import WordTime

_WORDS = re.compile(r"\S+")


@dataclass(frozen=True, slots=True)
class Letters:
    """When characters sound: one list of texts and two of seconds, all of one length."""

    characters: Sequence[str]
    starts_s: Sequence[float]
    ends_s: Sequence[float]


def words_in(text: str) -> int:
    """Return how many words a text has."""
    return len(_WORDS.findall(text))


class WordClock:
    """Puts the words of one text together, from characters that come piece by piece."""

    def __init__(self, text: str = "") -> None:
        """``text``, if it is known, tells where a word ends that is the last of its piece."""
        self._text = text
        self._read = 0
        self._word = ""
        self._start_s = self._end_s = 0.0

    def push(self, letters: Letters, *, offset_s: float = 0.0) -> list[WordTime]:
        """Take more characters, ``offset_s`` later than they say; return the words that are complete."""
        found: list[WordTime] = []
        for character, start_s, end_s in zip(letters.characters, letters.starts_s, letters.ends_s, strict=True):
            self._read += len(character)
            if character.isspace() or not character:
                found += self.flush()
                continue
            if not self._word:
                self._start_s = start_s + offset_s
            self._word += character
            self._end_s = max(self._start_s, end_s + offset_s)
        if self._text and (self._read >= len(self._text) or self._text[self._read].isspace()):
            found += self.flush()
        return found

    def flush(self) -> list[WordTime]:
        """Return the word that is not complete, if there is one and it takes any time."""
        word, self._word = self._word, ""
        return [WordTime(word, self._start_s, self._end_s)] if word and self._end_s > self._start_s else []
