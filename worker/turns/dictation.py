"""What a caller spells out piece by piece, with pauses between: numbers, letters, e-mail addresses."""

from __future__ import annotations

import re
from enum import StrEnum

from worker.turns.lexicon import DIGITS, ENDINGS, LENGTHS, MAILBOXES, REPEATS, TENS


class Dictation(StrEnum):
    """How far the caller has come."""

    DIGITS = "digits"
    """In the middle of a number."""
    NUMBER = "number"
    """A number with as many digits as its kind has."""
    SPELLING = "spelling"
    """Letter by letter; nobody knows how many there are."""
    EMAIL = "email"
    """An address without its end."""
    ADDRESS = "address"
    """An e-mail address with its end."""


_FEWEST_DIGITS = 3
"""Fewer, said one by one, are an answer: "five", "two two"."""
_FEWEST_LETTERS = 2
_ANNOUNCED = r"\be-?mail(?: address)?(?: is|'s|:)\s(?P<said>.+)$"
_SPOKEN = rf"(?P<at>\S+ ?(?:@| at )\s?(?:\S.*(?:\bdot\b|\.).*|(?:{'|'.join(MAILBOXES)})\b.*))$"
_ADDRESS = re.compile(f"{_ANNOUNCED}|{_SPOKEN}")
_SENTENCE = re.compile(r"[.?!]\s+(?=[a-z])")


def dictation(text: str) -> Dictation | None:
    """Return what the end of a text spells out, None if nothing; takes lower case."""
    said = text.rstrip(" .,;:!-–—…")
    email = _email(said)
    if email is not None:
        return email
    tokens = re.findall(r"[a-z']+|\d+", said)
    if _letters(said) >= _FEWEST_LETTERS:
        return Dictation.SPELLING
    return _number(tokens)


def _email(said: str) -> Dictation | None:
    found = _ADDRESS.search(said)
    if found is None:
        return None
    address = found["said"] or found["at"]
    if _SENTENCE.search(address):
        return None  # the caller has gone on to something else
    ended = re.search(r"(?:\.|\bdot) ?([a-z]+)$", address)
    return Dictation.ADDRESS if ended and ended[1] in ENDINGS else Dictation.EMAIL


def _letters(said: str) -> int:
    """Return how many single letters in a row a text ends with; ``a`` and ``i`` alone are words."""
    run = re.search(r"(?:\b[a-z]\b[ .,-]*)+$", said)
    letters = re.findall(r"[a-z]", run[0]) if run else []
    return 0 if set(letters) <= {"a", "i"} else len(letters)


def _number(tokens: list[str]) -> Dictation | None:
    digits, pieces = _digits(tokens)
    announced = next((lengths for word, lengths in LENGTHS.items() if word in tokens), None)
    if not digits or (announced is None and (digits < _FEWEST_DIGITS or pieces == 1)):
        return None
    return Dictation.NUMBER if digits in (announced or LENGTHS["number"]) else Dictation.DIGITS


def _digits(tokens: list[str]) -> tuple[int, int]:
    """Return how many digits a text ends with, and in how many pieces they were said."""
    digits = pieces = 0
    unit = False
    for token in reversed(tokens):
        size = len(token) if token.isdigit() else 1 if token in DIGITS else REPEATS.get(token, 0)
        if token in TENS:
            size = 1 if unit else 2
        if not size:
            break
        unit = token in DIGITS
        digits, pieces = digits + size, pieces + 1
    return digits, pieces
