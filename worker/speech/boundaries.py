"""Where streamed text may be cut so that its pieces sound right."""

from __future__ import annotations

import re
from collections.abc import Iterator

_MARK = re.compile(r"[.!?…]+[\"'”’)\]*_`]*(?=\s|$)|[。！？]+[」』”’）]*|\n")
_CJK_MARK = frozenset("。！？")
_CLAUSE_MARK = re.compile(r"(?<![\d\s])[,;](?=\s|$)|(?<![\d\s]):(?=\s)|\s[-–—]+(?=\s)|—(?=.)|[，；：、]")
_CONJUNCTION = re.compile(
    r"\s(?=(?:and|but|because|so|or|which|who|while|although|if|when|where|unless|until|before|after)\s)"
)
_OPEN = re.compile(r"\[[^\]]{0,200}$|\]\([^)\s]*$|<[A-Za-z/!?][^<>]{0,200}$")
"""A markdown link or a tag that is not complete."""
_ADDRESS = re.compile(r"(?:://|www\.|@)\S*$")
"""An address of the web that may go on."""
_WEEKDAY = re.compile(r"\b(?:Mon|Tues?|Wed(?:nes)?|Thu(?:rs)?|Fri|Sat(?:ur)?|Sun)(?:day)?$")
"""Before its date."""
_NEVER = re.compile(
    r"mr|mrs|ms|dr|prof|rev|gen|sen|rep|gov|mt|capt|sgt|lt|vs|e\.g|i\.e|approx|ca|cf|fig|pp|vol|u\.s|u\.k|[^\W\d]"
)
"""What its last point belongs to: abbreviations that something follows, and initials."""
_MAYBE = re.compile(
    r"no|etc|inc|ltd|corp|co|jr|sr|st|ave|blvd|rd|ft|apt|a\.m|p\.m|ph\.d|min|max|avg|est|dept|tel|ext|hrs?|appt"
    r"|jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec"
)
"""Abbreviations that end a sentence if the next word begins like one."""


def sentence_end(text: str, *, certain: bool = False) -> int | None:
    """Return how long the first sentence of a text that may go on is; None if there is no whole one yet.

    With ``certain`` a mark that ends the text is enough, unless it may turn out to be part of a number, an address, an
    abbreviation or a row of marks; without it something must follow.
    """
    for match in _MARK.finditer(text):
        if is_speakable(text[: match.start()]) and _ends(text, match, certain):
            return match.end()
    return None


def clause_end(text: str, *, words: int, conjunction_words: int) -> int | None:
    """Return where the text can be cut first: after that many words at a mark, or before a conjunction."""
    found = (end for end, needed in _clauses(text, words, conjunction_words) if _count(text[:end]) >= needed)
    return min(found, default=None)


def last_clause_end(text: str, limit: int) -> int | None:
    """Return the last place within ``limit`` characters where the text can be cut."""
    return max((end for end, _ in _clauses(text, 0, 0) if 0 < end <= limit and is_speakable(text[:end])), default=None)


def is_speakable(text: str) -> bool:
    """Tell whether there are two letters or digits in the text; a piece needs that, or it joins the next."""
    return sum(character.isalnum() for character in text) > 1


def _clauses(text: str, words: int, conjunction_words: int) -> Iterator[tuple[int, int]]:
    for match in _CLAUSE_MARK.finditer(text):
        head = text[: match.start()]
        if not (_OPEN.search(head) or _WEEKDAY.search(head)):
            yield match.end(), words
    for match in _CONJUNCTION.finditer(text):
        if not _OPEN.search(text[: match.start()]):
            yield match.start(), conjunction_words


def _count(text: str) -> int:
    """Count words; two characters of a script without spaces count as one."""
    return len(text.split()) + sum("\u3040" <= character <= "\u9fff" for character in text) // 2


def _ends(text: str, match: re.Match[str], certain: bool) -> bool:
    mark, head, rest = match.group(), text[: match.start()], text[match.end() :]
    if _OPEN.search(head):
        return False
    if mark == "\n" or mark[0] in _CJK_MARK:
        return True
    if not rest and not (certain and _closed(text) and not _ADDRESS.search(head)):
        return False
    if "!" in mark or "?" in mark:
        return True
    following = rest.lstrip()[:1]
    if len(mark.rstrip("\"'”’)]*_`")) > 1 or mark[0] == "…":
        return bool(following) and not following.islower()
    return mark != "." or _point_ends(head, following, at_end=not rest)


def _closed(text: str) -> bool:
    """Tell whether no quotation, bracket or emphasis is still open, whose end would come after the mark."""
    pairs = text.count("(") <= text.count(")") and text.count("“") <= text.count("”")
    return pairs and not any(text.count(mark) % 2 for mark in ('"', "**", "`"))


def _point_ends(head: str, following: str, *, at_end: bool) -> bool:
    """Tell whether a single point after ``head`` ends a sentence."""
    line = head.rsplit("\n", 1)[-1]
    word = re.split(r"[\s(\[\"“]", line)[-1].lower()
    if _NEVER.fullmatch(word):
        return False
    if _MAYBE.fullmatch(word):
        return bool(following) and not following.islower() and not following.isdigit()
    if word.isdigit() and line.strip() == word:
        return False  # the number of a list's item
    return not at_end or not (word[-1:].isdigit() or any(mark in word for mark in "./"))
