"""Codes and acronyms: ``AB-1234``, ``#4521``, ``Q3``, ``007``, ``API``, ``COVID-19``."""

from __future__ import annotations

import re

from worker.speech.numbers import END, START, cardinal, digits, year
from worker.speech.phones import grouped
from worker.speech.rule import Rule, alternatives, rule

_ACRONYMS = (
    *("AI", "API", "APR", "ASR", "ATM", "AWS", "CEO", "CFO", "CIO", "COO", "CPU", "DIY", "DOB", "EMEA", "ETA", "EU"),
    *("FAQ", "FBI", "GPU", "HIPAA", "IBAN", "ID", "IP", "IOU", "IRS", "ISO", "MBA", "OS", "PIN", "RSVP", "SIM", "SUV"),
    *("TBA", "UAE", "UI", "UK", "UN", "URL", "USA", "USB", "UTC", "UX", "VIP", "VAT", "VPN", "ZIP", "IVR", "EOD", "AC"),
)
_WORDS = frozenset(("PIN", "SIM", "ZIP", "VAT", "HIPAA", "EMEA"))
"""Acronyms that are said as words."""
_VOWELS = frozenset("AEIOUY")
_SPELLED = 4
"""Letters that a run of capitals in a code has at most to be spelled; longer ones are words: COVID-19."""
_SMALL = 2
"""Digits of a number that is read as one rather than digit by digit: Q3, COVID-19."""


_DIGITWISE = re.compile(
    r"\b(?:end(?:s|ing)? (?:in|with)|(?:code|pin|passcode|password|account|zip|digits|extension)(?: is| are)?"
    r"|number is|ext\.?|flight [A-Z0-9]{2}):?\s?$",
    re.IGNORECASE,
)
_PAIRWISE = re.compile(r"\b(?:room|suite|unit|apartment|route|highway|bus|flight)\s$", re.IGNORECASE)
_NAME_LENGTH = 20
"""Characters before a number in which it may be named."""


def spelled(letters: str) -> str:
    """Return letters so that a voice says each by its name: ``A.B``; a lone ``A`` would be an article."""
    return "A." if letters == "A" else ".".join(letters)


def _code(match: re.Match[str]) -> str | None:
    text = match.group()
    parts = re.findall(r"[A-Z]+|[0-9]+", text)
    if len(parts) == 1:
        return None
    return _joined([_part(part, alone=len(parts) == 2) for part in parts])  # noqa: PLR2004  # letters and a number


def _part(part: str, *, alone: bool) -> str:
    if part.isdecimal():
        short = len(part) <= _SMALL and part[0] != "0" and alone
        return cardinal(int(part)) if short else grouped(part)
    return part.capitalize() if len(part) > _SPELLED else spelled(part)


def _joined(parts: list[str]) -> str:
    """Join parts; a long run of digits is set off by a pause."""
    words = parts[0]
    for part in parts[1:]:
        words += (", " if part.count(" ") > 1 else " ") + part
    return words


def _named(match: re.Match[str]) -> str | None:
    """Read a number by what it is called before: ``room 1204`` in pairs, ``the code is 739 204`` digit by digit."""
    before = match.string[max(0, match.start() - _NAME_LENGTH) : match.start()]
    if _DIGITWISE.search(before):
        return grouped(match.group())
    if _PAIRWISE.search(before) and re.fullmatch(r"[1-9][0-9]{3}", match.group()):
        return year(int(match.group()))
    return None


def _number(match: re.Match[str]) -> str:
    figures = match["digits"]
    small = len(figures) <= 3 and figures[0] != "0"  # noqa: PLR2004  # a room, not an order
    return "number " + (cardinal(int(figures)) if small else grouped(figures))


def _pair(match: re.Match[str]) -> str:
    return f"{spelled(match['first'])} and {spelled(match['second'])}"


def _acronym(match: re.Match[str]) -> str | None:
    letters, end = match["letters"], match["end"] or ""
    if letters in _WORDS:
        return letters + end
    if letters not in _ACRONYMS and any(letter in _VOWELS for letter in letters):
        return None
    return spelled(letters) + ("'s" if end else "")


NAMED: tuple[Rule, ...] = (rule(rf"{START}[0-9]{{3,6}}(?:[ -][0-9]{{2,6}})*{END}", _named),)
"""Before those of dates and numbers: what a number is called counts more than how it looks."""
RULES: tuple[Rule, ...] = (
    rule(rf"(?<![A-Za-z0-9_&])#\s?(?P<digits>[0-9]{{1,30}}){END}", _number),
    rule(rf"{START}(?=[A-Z0-9-]*[A-Z])(?=[A-Z0-9-]*[0-9])[A-Z0-9]+(?:-[A-Z0-9]+)*{END}", _code),
    rule(rf"{START}[0-9]{{7,}}{END}", lambda match: grouped(match.group())),
    rule(rf"{START}0[0-9]+{END}", lambda match: digits(match.group())),
    rule(rf"{START}(?P<first>[A-Z]{{1,3}})&(?P<second>[A-Z]{{1,3}})(?![A-Za-z0-9_&])", _pair),
    rule(
        rf"{START}(?P<letters>{alternatives(_ACRONYMS)}|[A-Z]{{2,6}})(?P<end>['’]?s)?(?![A-Za-z0-9_])",
        _acronym,
    ),
)
