"""Numbers in English words."""

from __future__ import annotations

NUMBER = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?"
"""A pattern: 5, 1,234 and 1,234.56."""
DASH = r"\s?[-–—]\s?"
"""A pattern: what stands between the ends of a range."""
START = r"(?<![A-Za-z0-9_.,])"
"""A pattern: a number may begin here."""
END = r"(?![A-Za-z0-9_]|[.,][0-9])"
"""A pattern: a number may end here."""
MAX_DIGITS = 15
"""A longer number is read digit by digit."""

_ONES = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
)
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = ((10**12, "trillion"), (10**9, "billion"), (10**6, "million"), (1000, "thousand"))
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}


def cardinal(value: int) -> str:
    """Return a whole number of up to 15 digits: ``minus twenty-one``."""
    if value < 0:
        return f"minus {cardinal(-value)}"
    for scale, name in _SCALES:
        if value >= scale:
            return _with_rest(f"{cardinal(value // scale)} {name}", value % scale)
    if value >= 100:  # noqa: PLR2004  # a hundred
        return _with_rest(f"{_ONES[value // 100]} hundred", value % 100)
    if value < len(_ONES):
        return _ONES[value]
    return _TENS[value // 10] + (f"-{_ONES[value % 10]}" if value % 10 else "")


def _with_rest(words: str, rest: int) -> str:
    return f"{words} {cardinal(rest)}" if rest else words


def ordinal(value: int) -> str:
    """Return ``twenty-first`` for 21."""
    words = cardinal(value)
    cut = max(words.rfind(" "), words.rfind("-")) + 1
    last = words[cut:]
    if last not in _ORDINALS:
        return words[:cut] + (last[:-1] + "ieth" if last.endswith("y") else last + "th")
    return words[:cut] + _ORDINALS[last]


def digits(text: str) -> str:
    """Return the digits of a text one by one: ``one two three``; other characters are passed over."""
    return " ".join(_ONES[ord(mark) - ord("0")] for mark in text if "0" <= mark <= "9")


def number(text: str) -> str:
    """Return what ``NUMBER`` matches: ``three point one four``; with a zero in front, digit by digit."""
    whole, _, fraction = text.replace(",", "").partition(".")
    long = len(whole) > MAX_DIGITS or (len(whole) > 1 and whole[0] == "0")
    words = digits(whole) if long else cardinal(int(whole))
    return f"{words} point {digits(fraction)}" if fraction else words


def year(value: int) -> str:
    """Return a year of four digits: ``nineteen ninety-nine``, ``two thousand five``, ``twenty twenty-six``."""
    century, rest = divmod(value, 100)
    if value % 1000 < 10:  # noqa: PLR2004  # 2000 to 2009
        return cardinal(value)
    if rest == 0:
        return f"{cardinal(century)} hundred"
    return f"{cardinal(century)} {'oh ' if rest < 10 else ''}{cardinal(rest)}"  # noqa: PLR2004  # 1905: oh five


def plural(words: str) -> str:
    """Return ``twenties`` for twenty, ``tenths`` for tenth."""
    return words[:-1] + "ies" if words.endswith("y") else words + ("es" if words.endswith("x") else "s")
