"""How far a text has been spoken when its voice fails, and what is left to say. Pure."""

from __future__ import annotations

from voicebackend.interfaces import WordTime

TOLERANCE_S = 0.02
"""Of a word's end that may be missing: it was heard."""


class Spoken:
    """One text's audio as it is made, by one voice after the other; seconds from its start."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._words: list[WordTime] = []
        self.made_s = 0.0
        self._before_s = 0.0

    @property
    def begun(self) -> bool:
        """Whether this voice has made any audio."""
        return self.made_s > self._before_s

    def word(self, word: WordTime) -> WordTime:
        """Take when a word sounds in this voice's audio; return when it sounds in all of it."""
        self._words.append(WordTime(word.word, word.start_s + self._before_s, word.end_s + self._before_s))
        return self._words[-1]

    def rest(self) -> str | None:
        """Return what the next voice is to say, from the first word that was not heard whole.

        All of it, if nothing was made; None if nobody told when its words sound: rather less than twice.
        """
        if not self.begun:
            return self._text
        place = 0 if self._words else None
        for word in self._words:
            if word.end_s > self.made_s + TOLERANCE_S:
                break
            place = _behind(self._text, word.word, place)
        if place is None:
            return None
        self._text, self._words, self._before_s = self._text[place:].lstrip(), [], self.made_s
        return self._text


def _behind(text: str, word: str, place: int | None) -> int | None:
    at = -1 if place is None else text.find(word, place)
    return None if at < 0 else at + len(word)
