"""What a caller spells out piece by piece, with pauses between: numbers, letters, e-mail addresses."""

from __future__ import annotations

import re
from enum import StrEnum

from worker.turns.lexicon import ANNOUNCING, DIGITS, ENDINGS, INITIALS, LENGTHS, MAILBOXES, REPEATS, TENS, UNANNOUNCED


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
_ANNOUNCEMENT = 4
"""Words before the first digit that may say what they are the digits of."""
_IT_IS = (["it's"], ["it", "is"], ["that's"], ["that", "is"], ["is"])
_ANNOUNCED = r"\be-?mail(?: address)?(?: is|'s|:)\s(?P<said>.+)$"
_SPOKEN = rf"(?P<at>\S+ ?(?:@| at )\s?(?:\S.*(?:\bdot\b|\w\w\.[a-z][a-z]).*|(?:{'|'.join(MAILBOXES)})\b.*))$"
_WRITTEN = r"\b(?:write|mail|e-?mail) (?:to )?(?P<to>\S+ at \S+)$"
_ADDRESS = re.compile(f"{_ANNOUNCED}|{_SPOKEN}|{_WRITTEN}")
_INITIALS = re.compile(rf"(?:{'|'.join(map(re.escape, INITIALS))})$")
_SENTENCE = re.compile(r"[.?!]\s+(?=[a-z])")


def dictation(text: str) -> Dictation | None:
    """Return what the end of a text spells out, None if nothing; takes lower case."""
    said = text.rstrip(" .,;:!-–—…")
    email = _email(said)
    if email is not None:
        return email
    return Dictation.SPELLING if _letters(said) else _number(said)


def _email(said: str) -> Dictation | None:
    found = _ADDRESS.search(said)
    if found is None:
        return None
    address = found["said"] or found["at"] or found["to"]
    if _SENTENCE.search(address):
        return None  # the caller has gone on to something else
    ended = re.search(r"(?:\.|\bdot) ?([a-z]+)$", address)
    return Dictation.ADDRESS if ended and ended[1] in ENDINGS else Dictation.EMAIL


def _letters(said: str) -> bool:
    """Return whether a text ends with letters that are not words: several, or one that is set off."""
    run = re.search(r"(?:\b[a-z]\b[ .,-]*)+$", said)
    if run is None or _INITIALS.search(said) or set(re.findall(r"[a-z]", run[0])) <= {"a", "i"}:
        return False
    return len(run[0]) > 1 or said[: run.start()].rstrip()[-1:] in {",", "-"}


def _number(said: str) -> Dictation | None:
    tokens = re.findall(r"[a-z']+|\d+(?:[.:]\d+)*", said)  # a time or a price is said at once
    digits, pieces = _digits(tokens)
    announced = _announced(tokens[: len(tokens) - pieces])
    spoken_in_pieces = pieces > 1 or pieces == len(tokens) or tokens[:-1] in _IT_IS
    if not digits or (announced is None and (digits < _FEWEST_DIGITS or not spoken_in_pieces)):
        return None
    lengths = announced or UNANNOUNCED
    return Dictation.NUMBER if digits in lengths or digits > max(lengths) else Dictation.DIGITS


def _announced(before: list[str]) -> tuple[int, ...] | None:
    """Return how many digits what was said before them announces, as in "my order number is"; None if nothing."""
    if not before or before[-1] not in ANNOUNCING:
        return None
    return next((lengths for word, lengths in LENGTHS.items() if word in before[-_ANNOUNCEMENT:]), None)


def _digits(tokens: list[str]) -> tuple[int, int]:
    """Return how many digits a text ends with, and in how many pieces they were said."""
    digits = pieces = 0
    unit = False
    for token in reversed(tokens):
        size = sum(map(str.isdigit, token)) or (1 if token in DIGITS else REPEATS.get(token, 0))
        if token in TENS:
            size = 1 if unit else 2
        if not size:
            break
        unit = token in DIGITS
        digits, pieces = digits + size, pieces + 1
    return digits, pieces
