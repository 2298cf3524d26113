"""A rule: what a kind of writing looks like, and how it is said."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

Say = Callable[[re.Match[str]], str | None]
"""Returns the words for what was matched, empty for silence; None lets the next rule try."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Applies where its pattern matches, unless ``say`` declines."""

    pattern: re.Pattern[str]
    say: Say


def rule(pattern: str, say: Say | str) -> Rule:
    """Return a rule; words that are always the same may be given as they are."""
    return Rule(re.compile(pattern), (lambda _: say) if isinstance(say, str) else say)


def alternatives(words: Iterable[str]) -> str:
    """Return a pattern of any of these words, the longest first."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


def table(text: str) -> dict[str, str]:
    """Return ``{"Dr.": "Doctor", "Mr.": "Mister"}`` for ``Dr. = Doctor; Mr. = Mister``."""
    entries = (entry.split(" = ", 1) for line in text.strip().splitlines() for entry in line.split("; "))
    return {written.strip(): said.strip() for written, said in entries}


def ended(match: re.Match[str], words: str) -> str:
    """Keep the point of an abbreviation that ends the text: it ends the sentence too."""
    return f"{words}." if match.group().endswith(".") and match.end() == len(match.string) else words
