"""How much of what was said was understood."""

from __future__ import annotations

import re

_SAME = {"mr": "mister", "mrs": "misses", "dr": "doctor", "ok": "okay"}
_NUMBERS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")


def words(text: str) -> list[str]:
    """Return a text's words without case, marks and ways of writing."""
    plain = re.sub(r"[^a-z0-9' ]+", " ", text.lower())
    return [_plain(word) for word in plain.split()]


def _plain(word: str) -> str:
    if word.isdecimal() and int(word) < len(_NUMBERS):
        return _NUMBERS[int(word)]
    return _SAME.get(word, word)


def word_error(expected: str, heard: str) -> float:
    """Return how many words are wrong, missing or too many, as a share of those expected; 0 is perfect."""
    wanted, got = words(expected), words(heard)
    costs = list(range(len(got) + 1))
    for row, word in enumerate(wanted, 1):
        before, costs[0] = costs[0], row
        for column, other in enumerate(got, 1):
            swap = before + (word != other)
            before = costs[column]
            costs[column] = min(swap, costs[column] + 1, costs[column - 1] + 1)
    return costs[-1] / max(1, len(wanted))
