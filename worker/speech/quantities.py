"""Plain numbers: ordinals, fractions, ranges, ratios, versions, negatives, decimals."""

from __future__ import annotations

import re

from worker.speech.numbers import DASH, END, NUMBER, START, cardinal, digits, number, ordinal, plural
from worker.speech.rule import Rule, rule

_GLYPHS = {"½": (1, 2), "⅓": (1, 3), "⅔": (2, 3), "¼": (1, 4), "¾": (3, 4), "⅕": (1, 5), "⅛": (1, 8)}
_MAX_ORDINAL = 12
"""Digits of the longest number that is read as an ordinal."""
_EVEN = 50
_MAX_PART = 20
"""Largest denominator that is read as a part: above, it is so many over so many."""


def fraction(top: int, bottom: int) -> str | None:
    """Return ``three quarters`` for 3 and 4; None if it is none."""
    if bottom < 2 or bottom > _MAX_PART or top >= bottom:  # noqa: PLR2004  # nothing over one
        return None
    name = {2: "half", 4: "quarter"}.get(bottom) or ordinal(bottom)
    names = {2: "halves"}.get(bottom) or plural(name)
    return f"{cardinal(top)} {name if top == 1 else names}"


def _fraction(match: re.Match[str]) -> str:
    top, bottom = int(match["top"]), int(match["bottom"])
    words = fraction(top, bottom) or _over(top, bottom)
    return _mixed(cardinal(int(match["whole"])), words) if match["whole"] else words


def _over(top: int, bottom: int) -> str:
    if top == bottom == _EVEN:
        return "fifty fifty"
    return f"{cardinal(top)} {'over' if top > bottom else 'out of'} {cardinal(bottom)}"


def _mixed(whole: str, part: str) -> str:
    return f"{whole} and {part.replace('one ', 'a ', 1) if part.startswith('one ') else part}"


def _glyph(match: re.Match[str]) -> str:
    words = fraction(*_GLYPHS[match["glyph"]]) or ""
    return _mixed(number(match["whole"]), words) if match["whole"] else words


def _ordinal(match: re.Match[str]) -> str | None:
    figures = match["value"].replace(",", "")
    return None if len(figures) > _MAX_ORDINAL else ordinal(int(figures))


def _range(match: re.Match[str]) -> str:
    return f"{number(match['from'])} to {number(match['to'])}"


def _ratio(match: re.Match[str]) -> str:
    """Read ``16:9``; two figures after the colon are minutes or seconds."""
    small = match["to"]
    if len(small) != 2:  # noqa: PLR2004
        return _range(match)
    return f"{number(match['from'])} {'oh ' + number(small[1]) if small[0] == '0' else number(small)}"


def _version(match: re.Match[str]) -> str:
    parts = match["parts"].split(".")
    words = " point ".join(cardinal(int(part)) for part in parts)
    if len(parts) == 4:  # noqa: PLR2004  # an address of the internet
        words = " dot ".join(digits(part) for part in parts)
    return f"version {words}" if match["v"] else words


def _signed(match: re.Match[str]) -> str:
    sign = {"+": "plus ", "~": "about ", "≈": "about ", "": ""}.get(match["sign"] or "", "minus ")
    return sign + number(match["value"])


RULES: tuple[Rule, ...] = (
    rule(rf"{START}(?P<value>[0-9,]*[0-9])(?:st|nd|rd|th){END}", _ordinal),
    rule(
        rf"{START}(?:(?P<whole>[0-9]{{1,4}})\s)?(?P<top>[0-9]{{1,4}})/(?P<bottom>[0-9]{{1,4}})(?![A-Za-z0-9_/])",
        _fraction,
    ),
    rule(rf"{START}(?P<whole>[0-9]{{1,4}})?\s?(?P<glyph>[{''.join(_GLYPHS)}])", _glyph),
    rule(
        rf"{START}(?P<v>[vV]\.?\s?)(?P<parts>[0-9]{{1,4}}(?:\.[0-9]{{1,4}}){{0,4}}){END}",
        _version,
    ),
    rule(rf"{START}(?P<v>)(?P<parts>[0-9]{{1,4}}(?:\.[0-9]{{1,4}}){{2,4}}){END}", _version),
    rule(rf"{START}(?<![-–])(?P<from>{NUMBER}){DASH}(?P<to>{NUMBER}){END}", _range),
    rule(rf"{START}(?P<from>[0-9]{{1,3}}):(?P<to>[0-9]{{1,3}}){END}(?!:)", _ratio),
    rule(
        rf"{START}(?P<from>{NUMBER})/(?P<to>{NUMBER}){END}", lambda m: f"{number(m['from'])} out of {number(m['to'])}"
    ),
    rule(rf"{START}(?<!\))(?P<sign>[-−+~≈](?=[0-9]))?(?P<value>{NUMBER}){END}", _signed),
    rule(r"(?<![A-Za-z0-9_.])\.(?P<digits>[0-9]+)", lambda match: f"point {digits(match['digits'])}"),
    rule(r"(?P<sign>)(?P<value>[0-9]+)", _signed),
)
