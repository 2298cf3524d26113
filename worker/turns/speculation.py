"""Whether an answer that was begun on a guess may be used, because what was said in the end is close enough to it.

Strict on purpose: a speculation that is dropped costs one more question to the agent, one that is wrongly used answers
what nobody said. So all words must be the same but for fillers, articles, courtesies and contractions, and in one place
the spelling of a long word or of a compound.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from unicodedata import normalize

MAX_GUESSES = 3
"""Questions to the agent in one turn that may be in vain: each of them costs."""
SPELT_ALIKE = 8
"""Letters from which one letter more, less or other is a matter of spelling; "house" and "horse" are two words."""

_WORD = re.compile(r"[$€£#]?[+-]?\d(?:[\d.,:/]*\d)?%?|[^\W\d_]+(?:'[^\W\d_]+)*|\w+")
_FILLERS = frozenset(("ah", "eh", "em", "er", "erm", "hm", "hmm", "mm", "uh", "uhm", "um", "umm"))
_COURTESIES = frozenset(("please", "thanks"))
_ARTICLES = frozenset(("a", "an", "the"))
_OPENERS = frozenset(("so", "well"))
_NEGATIONS = frozenset(
    ("no", "not", "none", "never", "nothing", "nobody", "nowhere", "neither", "nor", "without", "nope", "nah")
)
_NUMBERS = frozenset(
    (
        *("zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"),
        *("twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty"),
        *("thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety", "hundred", "thousand", "million"),
        *("billion", "trillion", "dozen", "half", "quarter", "once", "twice", "double", "triple", "first", "second"),
        *("third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh", "twelfth"),
    )
)
_ENDINGS = {"n't": "not", "'m": "am", "'re": "are", "'ll": "will", "'ve": "have"}
_IS = ("he", "here", "how", "it", "she", "that", "there", "what", "where", "who")
_CONTRACTIONS: dict[str, tuple[str, ...]] = {
    **{f"{word}'s": (word, "is") for word in _IS},
    "can't": ("can", "not"),
    "cannot": ("can", "not"),
    "won't": ("will", "not"),
    "gonna": ("going", "to"),
    "wanna": ("want", "to"),
    "ok": ("okay",),
}


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    """Without case."""
    name: bool = False
    """Begins with a capital letter, so it may be one."""


def close_enough(guess: str, final: str) -> bool:
    """Tell whether an answer to the guess is an answer to what was said."""
    if _texts(_expanded(guess)) == _texts(_expanded(final)):
        return True
    guessed, said = _words(guess), _words(final)
    before, after = _texts(guessed), _texts(said)
    if before == after:
        return True
    start = _common(before, after)
    end = _common(before[start:][::-1], after[start:][::-1])
    changed = guessed[start : len(guessed) - end], said[start : len(said) - end]
    return _cased(guess) and _cased(final) and _spelt_alike(*changed)


def _spelt_alike(some: Sequence[_Word], other: Sequence[_Word]) -> bool:
    """Tell whether both are one word, or one compound, in two spellings."""
    sizes = {len(some), len(other)}
    if sizes not in ({1}, {1, 2}) or any(_matters(word) for word in (*some, *other)):
        return False
    one, two = "".join(_texts(some)), "".join(_texts(other))
    if len(sizes) > 1:
        return one == two
    return min(len(one), len(two)) >= SPELT_ALIKE and one[0] == two[0] and _one_edit(one, two)


def _matters(word: _Word) -> bool:
    """Tell whether any change of the word changes what was said: a name, a number, a negation."""
    return word.name or word.text in _NEGATIONS or _is_number(word.text)


def _is_number(word: str) -> bool:
    return word.removesuffix("s") in _NUMBERS or any(letter.isdigit() for letter in word)


def _one_edit(one: str, two: str) -> bool:
    """Tell whether one letter more, less or other makes them the same."""
    shorter, longer = sorted((one, two), key=len)
    at = _common(shorter, longer)
    rest = shorter[at:] if len(shorter) < len(longer) else shorter[at + 1 :]
    return rest == longer[at + 1 :]


def _common(one: Sequence[str], two: Sequence[str]) -> int:
    """Return how many items the two begin with in common."""
    return next(
        (at for at, pair in enumerate(zip(one, two, strict=False)) if pair[0] != pair[1]), min(len(one), len(two))
    )


def _words(text: str) -> list[_Word]:
    """Return what a text says, without what changes no answer."""
    words = list(_expanded(text))
    if all(word.text in _FILLERS for word in words):  # "uh-uh" is an answer
        return words
    words = [word for word in words if word.text not in _FILLERS]
    if len(words) > 1 and words[0].text in _OPENERS:
        words = words[1:]
    if len(words) > 1:
        words = [word for word in words if word.text not in _COURTESIES] or words
    return list(_without_articles(_without_stutter(words)))


def _expanded(text: str) -> Iterator[_Word]:
    """Yield the words of a text, contractions in full."""
    for match in _WORD.finditer(normalize("NFKC", text).replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")):
        word = match[0]
        plain, name = word.casefold(), word[0].isupper() and word.split("'")[0] != "I"
        for ending, full in _ENDINGS.items():
            if plain.endswith(ending) and plain not in _CONTRACTIONS:
                yield _Word(plain.removesuffix(ending), name)
                yield _Word(full)
                break
        else:
            yield from (_Word(part, name) for part in _CONTRACTIONS.get(plain, (plain,)))


def _without_stutter(words: Iterable[_Word]) -> Iterator[_Word]:
    """Leave out a word said twice in a row; numbers and spelled letters are meant."""
    before = ""
    for word in words:
        if word.text != before or _is_number(word.text) or (len(word.text) == 1 and word.text != "i"):
            yield word
        before = word.text


def _without_articles(words: Iterable[_Word]) -> Iterator[_Word]:
    """Leave out articles; what is spelled may look like one, and keeps all."""
    found = list(words)
    if any(len(word.text) == 1 and word.text not in "ai" for word in found):
        yield from found
        return
    for at, word in enumerate(found):
        if word.text not in _ARTICLES or at == len(found) - 1 or (word.name and at):
            yield word


def _texts(words: Iterable[_Word]) -> list[str]:
    return [word.text for word in words]


def _cased(text: str) -> bool:
    """Tell whether names can be recognised by their capital letter."""
    return any(letter.isupper() for letter in text)
