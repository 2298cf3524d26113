"""Symbols that are words, and characters that are not spoken at all."""

from __future__ import annotations

import unicodedata

from worker.speech.rule import Rule, alternatives, rule, table

_WORDS = table("""
    + = plus; = = equals; × = times; ÷ = divided by; ± = plus or minus; ≈ = about; ≤ = at most
    ≥ = at least; ≠ = is not; → = to; ⇒ = to; < = less than; > = greater than; % = percent; ° = degrees; @ = at
    € = euros; £ = pounds; $ = dollars; ¥ = yen; √ = root; ² = squared; ³ = cubed; ∞ = infinity; … = ...; ’ = '
    ‘ = '; “ = "; ” = "; § = section
""")
_UNSPOKEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "So", "Sk", "Sm", "Sc", "Zl", "Zp", "Zs", "Me"})
"""Unicode categories of control characters, surrogates, emoji, signs that have no word here, and the like."""
_PICTURES = ((0x2010, 0x2011), (0x203C, 0x203D), (0x2049, 0x204A), (0x2100, 0x214F), (0x2190, 0x2BFF), (0xFE00, 0xFE0F))
"""Ranges of characters that may be drawn as emoji, or only say how."""
_SILENT = frozenset("*_`~#|^[]{}\\•‣◦·")


def plain(text: str) -> str:
    """Return a word or mark without what cannot be spoken."""
    return "".join(mark for mark in text.replace("’", "'") if (mark.isascii() and mark.isalnum()) or _spoken(mark))


def _spoken(mark: str) -> bool:
    if mark in _SILENT or unicodedata.category(mark) in _UNSPOKEN:
        return False
    code = ord(mark)
    return not any(first <= code <= last for first, last in _PICTURES) and not 0xE0000 <= code <= 0xE0FFF  # noqa: PLR2004


RULES: tuple[Rule, ...] = (
    rule(r"(?<=\s)(?:[-–—]+|\|)(?=\s)|[—–](?=\s)|(?<=\w)\s?—\s?(?=\w)", ", "),
    rule(r"[/|](?=\S)|(?<=\w):(?=\w)", " "),
    rule(r"(?<=\b[A-G])#(?!\w)", " sharp"),
    rule(r"(?<=\w)\^(?=-?\w)", " to the power of "),
    rule(r"&+", "and"),
    rule(r"-+>", "to"),
    rule(alternatives(_WORDS), lambda match: _WORDS[match.group()]),
)
