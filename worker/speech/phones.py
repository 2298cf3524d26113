"""Telephone numbers and others that are read digit by digit in groups, as they are written."""

from __future__ import annotations

import re
from itertools import pairwise

from worker.speech.numbers import digits
from worker.speech.rule import Rule, rule

_SHORTEST, _LONGEST = 7, 15
"""Digits of a telephone number."""


def grouped(text: str) -> str:
    """Return digits in their groups: ``five five five, one two three four``; long ones in threes and fours."""
    groups = [part for group in re.findall(r"[0-9]+", text) for part in _parts(group)]
    return ", ".join("eight hundred" if group == "800" else digits(group) for group in groups)


def _parts(group: str) -> list[str]:
    if len(group) < _SHORTEST:
        return [group]
    fours = len(group) % 3  # at the end: 3-4, 4-4, 3-3-4
    threes = len(group) - 4 * fours
    cuts = [*range(0, threes, 3), *range(threes, len(group), 4), len(group)]
    return [group[start:end] for start, end in pairwise(cuts)]


def _say(match: re.Match[str]) -> str | None:
    text = match.group()
    if not _SHORTEST <= len(re.sub(r"[^0-9]", "", text)) <= _LONGEST:
        return None
    if re.fullmatch(r"\+1[0-9]{10}", text):
        text = f"+1 {text[2:]}"
    return f"plus {grouped(text)}" if text.startswith("+") else grouped(text)


_BEFORE, _AFTER = r"(?<![A-Za-z0-9_.,+/-])", r"(?![A-Za-z0-9_]|[-/][0-9]|[.,][0-9])"
RULES: tuple[Rule, ...] = (
    rule(r"(?<![A-Za-z0-9_])\+[0-9](?:[ ().-]{0,2}[0-9]){6,14}" + _AFTER, _say),
    rule(_BEFORE + r"(?:1[-. ])?(?:\([0-9]{3}\) ?|[0-9]{3}[-. ])[0-9]{3}[-. ][0-9]{4}" + _AFTER, _say),
    rule(_BEFORE + r"[0-9]{3}-[0-9]{4}" + _AFTER, _say),
    rule(_BEFORE + r"\(?0[0-9]{1,4}\)?(?:[ -][0-9]{2,8}){1,4}" + _AFTER, _say),
    rule(_BEFORE + r"[0-9]{4}(?:[ -][0-9]{4}){2,4}" + _AFTER, lambda match: grouped(match.group())),
    rule(_BEFORE + r"[0-9]+(?:-[0-9]+){2,5}" + _AFTER, lambda match: grouped(match.group())),
    rule(r"(?:(?<=[Cc]all )|(?<=[Dd]ial ))[0-9]{3}" + _AFTER, lambda match: digits(match.group())),
)
