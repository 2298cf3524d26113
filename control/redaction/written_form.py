"""What was said, as it would be written: ``four one one one`` as ``4111``, ``ann at example dot com`` with its signs.

English only. Each written character knows where in the text it comes from, so that what is found there can be taken
out here. The other way, from writing to speech, is ``worker/speech``. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_ONES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_TEENS = (
    *("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen"),
    *("sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
DIGITS = {word: str(value) for value, word in enumerate(_ONES)} | {"oh": "0", "o": "0", "nought": "0", "nil": "0"}
NUMBERS = DIGITS | {word: str(value) for value, word in enumerate(_TEENS, 10)}
TENS = {word: str(value) for value, word in enumerate(_TENS, 2)}
TIMES = {"double": 2, "triple": 3, "treble": 3}
SIGNS = {"dot": ".", "point": ".", "dash": "-", "hyphen": "-", "minus": "-", "plus": "+"}
"""Between numbers."""
JOINTS = SIGNS | {"underscore": "_", "period": "."}
"""Between the words of an address."""
_TOKEN = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?|\d+|[^\w\s]|_")
_PAUSES = frozenset((*",.;:-–—", "um", "uh", "er", "erm", "hm", "hmm", "mm"))
"""What stands between digits where somebody drew breath, or thought."""
_NAME = r"[^\W_]{1,64}(?:[._+-][^\W_]{1,64}){0,8}"
_SPELLED = r"(?:[^\W\d_]\s+){0,24}"
"""Letters, each by itself."""
_JOINT = rf"\s+(?:{'|'.join(JOINTS)})\s+"
_PART = rf"{_SPELLED}{_NAME}(?:\s+\d+){{0,4}}"
_ADDRESS = re.compile(
    rf"\b(?P<local>{_PART}(?:{_JOINT}{_PART}){{0,4}})(?:\s+at\s+|\s*@\s*)(?P<host>{_SPELLED}{_NAME}(?:{_JOINT}{_NAME}){{0,6}})",
    re.IGNORECASE,
)
_SIGN = re.compile(rf"\s+(?P<word>{'|'.join(JOINTS)}|at)\s+|\s*@\s*|\s+", re.IGNORECASE)
_NOT_A_NAME = frozenset(
    (
        "you",
        "us",
        "me",
        "it",
        "him",
        "her",
        "them",
        "is",
        "are",
        "be",
        "here",
        "there",
        "look",
        "more",
        "up",
        "out",
        "online",
        "page",
        "site",
    )
)
"""What comes before ``at`` where a page is meant, not an address: see us at example dot com."""


@dataclass(slots=True)
class Written:
    """A text as it would be written, and where each of its characters comes from."""

    text: str = ""
    origin: list[tuple[int, int]] = field(default_factory=list)
    """From where to where in the spoken text, by character."""

    def add(self, text: str, start: int, end: int) -> None:
        """Write something that was said there."""
        self.text += text
        self.origin += [(start, end)] * len(text)

    def take(self, other: Written, start: int, end: int) -> None:
        """Write what is written there."""
        self.text += other.text[start:end]
        self.origin += other.origin[start:end]

    def said(self, start: int, end: int) -> tuple[int, int]:
        """Return from where to where what is written here was said."""
        return self.origin[start][0], self.origin[end - 1][1]


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    start: int
    end: int


def numbers_written(text: str) -> Written:
    """Return a text with spoken numbers as digits; those that follow one another are one number."""
    tokens = [_Token(found.group().lower(), found.start(), found.end()) for found in _TOKEN.finditer(text)]
    written, at, last = Written(), 0, 0
    while at < len(tokens):
        run = _Run(tokens, at)
        if run.end == at:
            at += 1
            continue
        _copy(written, text, last, tokens[at].start)
        for part in run.parts:
            written.add(*part)
        last, at = tokens[run.end - 1].end, run.end
    _copy(written, text, last, len(text))
    return written


def _copy(written: Written, text: str, start: int, end: int) -> None:
    written.text += text[start:end]
    written.origin += [(place, place + 1) for place in range(start, end)]


class _Run:
    """Numbers that follow one another from a token on: digits, words, letters spelled before them, signs between."""

    def __init__(self, tokens: list[_Token], start: int) -> None:
        self._tokens, self.end = tokens, start
        self.parts: list[tuple[str, int, int]] = []
        self._read(self._spelled(start))

    def _spelled(self, at: int) -> int:
        """Take letters that are spelled before a number, as of an IBAN."""
        after = at
        while after < len(self._tokens) and len(self._tokens[after].text) == 1 and self._tokens[after].text.isalpha():
            after += 1
        if after - at < 2 or not self._number(after):  # noqa: PLR2004 - a lone letter may be a word
            return at
        self.parts += [(one.text.upper(), one.start, one.end) for one in self._tokens[at:after]]
        return after

    def _read(self, at: int) -> None:
        if self._word(at) == "plus" and self._number(at + 1):
            self.parts.append(("+", self._tokens[at].start, self._tokens[at].end))
            at += 1
        if self._word(at) == "o" and not self._number(at + 1):  # a letter
            return
        while found := self._number(at):
            digits, after = found
            self.parts.append((digits, self._tokens[at].start, self._tokens[after - 1].end))
            self.end = at = after
            at = self._behind_pauses(at)
            sign = SIGNS.get(self._word(at))
            if sign and self._number(at + 1):
                self.parts.append((sign, self._tokens[at].start, self._tokens[at].end))
                at += 1

    def _behind_pauses(self, at: int) -> int:
        """Return where a number goes on after a pause; the same place if none does."""
        after = at
        while self._word(after) in _PAUSES:
            after += 1
        return after if self._number(after) else at

    def _number(self, at: int) -> tuple[str, int] | None:
        """Return the digits of what stands there, and the token behind it."""
        word = self._word(at)
        if word.isdecimal():
            return word, at + 1
        if word in TIMES and self._word(at + 1) in DIGITS:
            return DIGITS[self._word(at + 1)] * TIMES[word], at + 2
        if word in TENS:
            after = at + 2 if self._word(at + 1) == "-" else at + 1
            ones = DIGITS.get(self._word(after), "0")
            digits, after = (TENS[word] + ones, after + 1) if ones != "0" else (TENS[word] + "0", at + 1)
            return (digits + "00", after + 1) if self._word(after) == "hundred" else (digits, after)
        if word in NUMBERS and self._word(at + 1) == "hundred":
            return NUMBERS[word] + "00", at + 2
        return (NUMBERS[word], at + 1) if word in NUMBERS else None

    def _word(self, at: int) -> str:
        return self._tokens[at].text if at < len(self._tokens) else ""


def addresses_written(said: Written) -> list[Written]:
    """Return each part of a text that may be a spoken address, with its signs; whether it is one is not said."""
    found = (one for one in _ADDRESS.finditer(said.text) if one["local"].lower() not in _NOT_A_NAME)
    return [_signed(said, one.start(), one.end()) for one in found]


def _signed(said: Written, start: int, end: int) -> Written:
    written, at = Written(), start
    for found in _SIGN.finditer(said.text, start, end):
        written.take(said, at, found.start())
        word = (found["word"] or "").lower()
        sign = "@" if word == "at" or "@" in found.group() else JOINTS.get(word, "")
        written.add(sign, *said.said(found.start(), found.end()))
        at = found.end()
    written.take(said, at, end)
    return written
