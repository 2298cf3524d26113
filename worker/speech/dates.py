"""Dates: ``2026-11-22``, ``22/11``, ``Nov 22nd``, ``22 November 2026``, ``1990s``."""

from __future__ import annotations

import re

from worker.speech.numbers import DASH, END, START, cardinal, ordinal, plural, year
from worker.speech.rule import Rule, rule, table
from worker.speech.times import clock

MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July", "August", "September", "October"),
    *("November", "December"),
)
_WEEKDAYS = table("""
    Mon = Monday; Tue = Tuesday; Tues = Tuesday; Wed = Wednesday; Thu = Thursday; Thur = Thursday; Thurs = Thursday
    Fri = Friday; Sat = Saturday; Sun = Sunday
""")
_LAST_DAY, _LAST_MONTH = 31, 12

_START = START + r"(?<![/-])"
_MONTH = (
    r"(?P<month>Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?|Sept?(?:ember)?"
    r"|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)(?![a-z])(?:\.(?=,|\s?[0-9a-z]))?"
)
_NUMBER = r"3[01]|[12][0-9]|0?[1-9]"
_TH = r"(?:st|nd|rd|th)?"
_DAY = rf"(?P<day>{_NUMBER}){_TH}"
_YEAR = r"(?P<year>1[1-9][0-9]{2}|20[0-9]{2})"
_MODERN = r"19[0-9]{2}|20[0-9]{2}"
_SHORT_YEAR = r"(?P<year>(?:20|19)?[0-9]{2})"
_FIGURES = r"(?P<first>[0-3]?[0-9]){0}(?P<second>[0-3]?[0-9])"
_TIME = r"(?:[T ](?P<hour>[01][0-9]|2[0-3]):(?P<minute>[0-5][0-9])(?::[0-5][0-9](?:\.[0-9]+)?)?(?:Z|\+00:00)?)?"


def _month(name: str) -> str:
    return next(month for month in MONTHS if month.startswith(name[:3]))


def _spoken(month: int, day: int, year_: str) -> str | None:
    if not (1 <= month <= _LAST_MONTH and 1 <= day <= _LAST_DAY):
        return None
    words = f"{MONTHS[month - 1]} {ordinal(day)}"
    if len(year_) == 2:  # noqa: PLR2004  # 26
        year_ = f"20{year_}"
    return f"{words}, {year(int(year_))}" if year_ else words


def _iso(match: re.Match[str]) -> str | None:
    words = _spoken(int(match["month"]), int(match["day"]), match["year"])
    if words and match["hour"]:
        words += f" at {clock(int(match['hour']), int(match['minute']))}"
    return words


def _slashed(match: re.Match[str]) -> str | None:
    """Read ``11/22``, and ``22/11``, whose 22 can only be a day."""
    first, second = int(match["first"]), int(match["second"])
    if not match["year"] and max(first, second) <= _LAST_MONTH:
        return None  # 3/4 is a fraction
    month, day = (second, first) if first > _LAST_MONTH else (first, second)
    return _spoken(month, day, match["year"])


def _pointed(match: re.Match[str]) -> str | None:
    """Read ``22.11.2026``: with points the day is first."""
    return _spoken(int(match["second"]), int(match["first"]), match["year"])


def _month_first(match: re.Match[str]) -> str:
    words = f"{_month(match['month'])} {ordinal(int(match['day']))}"
    if match["to"]:
        words += f" to {ordinal(int(match['to']))}"
    return f"{words}, {year(int(match['year']))}" if match["year"] else words


def _day_first(match: re.Match[str]) -> str:
    the = "" if match.string[: match.start()].lower().endswith("the ") else "the "
    words = f"{the}{ordinal(int(match['day']))} of {_month(match['month'])}"
    return f"{words} {year(int(match['year']))}" if match["year"] else words


def _month_of(match: re.Match[str]) -> str:
    return f"{_month(match['month'])} {year(int(match['year']))}"


def _decade(match: re.Match[str]) -> str:
    century, tens = match["century"], int(match["tens"])
    if century == "20" and not tens:
        return "two thousands"
    words = plural(cardinal(tens)) if tens else "hundreds"
    return f"{cardinal(int(century))} {words}" if century else words


def _years(match: re.Match[str]) -> str:
    words = year(int(match["year"]))
    return f"{words} to {year(int(match['to']))}" if match["to"] else words


RULES: tuple[Rule, ...] = (
    rule(rf"{_START}{_YEAR}-(?P<month>[01][0-9])-(?P<day>[0-3][0-9]){_TIME}{END}(?!-)", _iso),
    rule(_START + _FIGURES.replace("{0}", "/") + "/" + _SHORT_YEAR + END + "(?!/)", _slashed),
    rule(_START + _FIGURES.replace("{0}", "/") + "(?P<year>)" + END + "(?!/)", _slashed),
    rule(_START + _FIGURES.replace("{0}", "[.]") + "[.]" + _SHORT_YEAR + END, _pointed),
    rule(rf"\b{_MONTH}\s{_DAY}(?:{DASH}(?P<to>{_NUMBER}){_TH})?(?:,?\s{_YEAR})?{END}", _month_first),
    rule(rf"{_START}{_DAY}(?:\sof)?\s{_MONTH}(?:,?\s{_YEAR})?(?![A-Za-z0-9_])", _day_first),
    rule(rf"\b{_MONTH}\s{_YEAR}{END}", _month_of),
    rule(r"\b(?P<month>Jan|Feb|Apr|Aug|Sept?|Oct|Nov|Dec)(?:\.(?=,|\s[a-z])|(?!\w))", lambda m: _month(m["month"])),
    rule(
        rf"\b(?P<name>{'|'.join(_WEEKDAYS)})(?:\.(?=[\s,])|(?=,?\s(?:[0-9]|{_MONTH.replace('?P<month>', '?:')}\s)))",
        lambda match: _WEEKDAYS[match["name"]],
    ),
    rule(
        rf"\b(?P<from>{'|'.join(_WEEKDAYS)}){DASH}(?P<to>{'|'.join(_WEEKDAYS)})(?![a-z])",
        lambda match: f"{_WEEKDAYS[match['from']]} to {_WEEKDAYS[match['to']]}",
    ),
    rule(rf"{START}['’]?(?P<century>1[0-9]|20)?(?P<tens>[1-9]0|00)s{END}", _decade),
    rule(rf"{_START}(?P<year>{_MODERN})(?:{DASH}(?P<to>{_MODERN}))?{END}(?!-)", _years),
)
