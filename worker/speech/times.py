"""Times of day: ``14:05``, ``3pm``, ``9:00-17:30``."""

from __future__ import annotations

import re

from worker.speech.numbers import DASH, END, START, cardinal
from worker.speech.rule import Rule, ended, rule

_TIME = (
    r"(?P<hour{0}>[01]?[0-9]|2[0-4])(?::(?P<minute{0}>[0-5][0-9])(?::(?P<second{0}>[0-5][0-9]))?)?"
    r"(?:\s?(?P<half{0}>[AaPp]\.[Mm]\.?|[AaPp][Mm])(?![A-Za-z]))?"
)
_NOON, _DAY, _TEN = 12, 24, 10


def clock(hour: int, minute: int, half: str = "", second: int = 0) -> str:
    """Return a time of day: ``two oh five PM``; hours from 13 on are of the afternoon."""
    if not half and (hour > _NOON or hour == 0):
        half = "p" if _NOON < hour < _DAY else "a"
    words = cardinal(hour % _NOON or _NOON)
    if minute:
        words += f" {'oh ' if minute < _TEN else ''}{cardinal(minute)}"
    elif not half:
        words += " o'clock"
    if second:
        words += f" and {cardinal(second)} seconds"
    return f"{words} {half.upper()}M" if half else words


def _one(match: re.Match[str], end: int) -> str | None:
    """Return one end of a range, None if it is a bare number."""
    hour, minute, second, half = (match[f"{part}{end}"] for part in ("hour", "minute", "second", "half"))
    if minute is None and half is None:
        return None
    return clock(int(hour), int(minute or 0), (half or "")[:1].lower(), int(second or 0))


def _say(match: re.Match[str]) -> str | None:
    words = _one(match, 1)
    return words and ended(match, words)


def _say_range(match: re.Match[str]) -> str | None:
    to = _one(match, 2)
    return to and ended(match, f"{_one(match, 1) or cardinal(int(match['hour1']))} to {to}")


_START, _END = START + "(?<!:)", END + "(?!:)"
RULES: tuple[Rule, ...] = (
    rule(_START + "24/7" + _END, "twenty-four seven"),
    rule(_START + _TIME.format(1) + DASH + _TIME.format(2) + _END, _say_range),
    rule(_START + _TIME.format(1) + _END, _say),
)
