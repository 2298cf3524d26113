"""What an agent wrote, as a voice can speak it: every written word mapped to what is spoken for it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from worker.speech import (
    abbreviations,
    codes,
    dates,
    markup,
    measures,
    money,
    phones,
    quantities,
    symbols,
    times,
    web,
)
from worker.speech.rule import Rule
from worker.speech.unit import Unit

_RULES: tuple[Rule, ...] = (
    *web.RULES,  # before tags: <https://example.com>
    *markup.RULES,
    *codes.NAMED,
    *times.RULES,
    *dates.RULES,
    *phones.RULES,
    *money.RULES,
    *measures.RULES,
    *codes.RULES,
    *abbreviations.RULES,
    *quantities.RULES,
    *symbols.RULES,
)
"""In the order in which they are tried: the special before the general."""
_ANY = re.compile("|".join(re.sub(r"\?P<\w+>", "?:", rule.pattern.pattern) for rule in _RULES))
"""Whether any of them may apply, in one look."""
_EASY = re.compile(r"[a-z]+(?:['-][a-z]+)*(?=[\s,;!?]|$)")
"""A word that no rule is about."""
_WIDE = re.compile(r"[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")
"""Scripts without spaces: each character is heard by itself."""
_LETTERS = rf"(?:(?!{_WIDE.pattern})[^\W\d_])+"
_WORD = re.compile(rf"\s+|{_LETTERS}(?:['’]{_LETTERS})*|.", re.DOTALL)
_CLOSING = tuple(".,;:!?…，。、；：！？")


class _Piece(NamedTuple):
    written: str
    said: str
    by_rule: bool = False
    """Whether it is said in other words."""


def speakable(text: str) -> tuple[Unit, ...]:
    """Return the units of a text: joined, ``written`` is the text and ``spoken`` what the voice is given.

    Total: any text is fine; if nothing in it can be spoken, no unit has anything spoken.
    """
    drafts = list(_drafts(text))
    sounds = [" ".join(spoken.split()) for _, spoken in drafts]
    if not any(mark.isalnum() for sound in sounds for mark in sound):
        return tuple(Unit(written, "") for written, _ in drafts)
    return tuple(_spaced([written for written, _ in drafts], _tidied(sounds)))


def _pieces(text: str) -> Iterator[_Piece]:
    at = 0
    while at < len(text):
        piece = _easy(text, at) or _ruled(text, at) or _plain(text, at)
        at += len(piece.written)
        yield piece


def _easy(text: str, at: int) -> _Piece | None:
    found = _EASY.match(text, at)
    return _Piece(found.group(), found.group()) if found else None


def _ruled(text: str, at: int) -> _Piece | None:
    if not _ANY.match(text, at):
        return None
    for rule in _RULES:
        found = rule.pattern.match(text, at)
        if found and found.group() and (said := rule.say(found)) is not None:
            return _Piece(found.group(), said, by_rule=True)
    return None


def _plain(text: str, at: int) -> _Piece:
    found = _WORD.match(text, at)
    written = found.group() if found else text[at]
    return _Piece(written, symbols.plain(written))


def _drafts(text: str) -> Iterator[tuple[str, str]]:
    """Yield units that end with white space or after a character that stands for a word, not yet spaced."""
    written = spoken = ""
    by_rule = False
    for piece in _pieces(text):
        if _ends_unit(written, piece.written):
            yield written, spoken
            written = spoken = ""
        joint = (by_rule or piece.by_rule) and spoken[-1:].isalnum() and piece.said[:1].isalnum()
        written, by_rule = written + piece.written, piece.by_rule
        spoken += f" {piece.said}" if joint else piece.said
    if written:
        yield written, spoken


def _ends_unit(written: str, following: str) -> bool:
    if not written.strip() or following.isspace():
        return False
    return written[-1].isspace() or any(_WIDE.match(text) for text in (written, following))


def _tidied(sounds: list[str]) -> list[str]:
    """Drop marks that follow nothing or another mark, and those that stand alone without closing anything."""
    found: list[str] = []
    last = ""
    for sound in sounds:
        kept = sound if last else sound.lstrip("".join(_CLOSING) + " ")
        alone = not any(mark.isalnum() for mark in kept)
        if alone and (not kept.startswith(_CLOSING) or last.endswith(_CLOSING)):
            kept = ""
        last = kept or last
        found.append(kept)
    return found


def _spaced(written: list[str], sounds: list[str]) -> list[Unit]:
    """Return the units; a space is spoken where one is written, but not before a closing mark."""
    units: list[Unit] = []
    following, gap = "", False
    for text, sound in zip(reversed(written), reversed(sounds), strict=True):
        gap = gap or text[-1:].isspace()
        if not sound:
            units.append(Unit(text, ""))
            continue
        apart = (gap and not following.startswith(_CLOSING)) or _scripts_meet(sound, following)
        units.append(Unit(text, f"{sound} " if following and apart else sound))
        following, gap = sound, False
    return units[::-1]


def _scripts_meet(before: str, after: str) -> bool:
    """Tell whether a word written with spaces and one written without stand side by side."""
    sides = before[-1:], after[:1]
    return all(side.isalnum() for side in sides) and sides[0].isascii() != sides[1].isascii()
