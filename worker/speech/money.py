"""Money: ``$1,234.56``, ``€20``, ``£5m``, ``20 EUR``, ``$5-10/month``."""

from __future__ import annotations

import re

from worker.speech.numbers import DASH, number
from worker.speech.rule import Rule, alternatives, rule

_CURRENCIES = {
    "$": ("dollar", "dollars", "cent", "cents"),
    "US$": ("dollar", "dollars", "cent", "cents"),
    "C$": ("Canadian dollar", "Canadian dollars", "cent", "cents"),
    "A$": ("Australian dollar", "Australian dollars", "cent", "cents"),
    "£": ("pound", "pounds", "penny", "pence"),
    "€": ("euro", "euros", "cent", "cents"),
    "¥": ("yen", "yen", "", ""),
    "₹": ("rupee", "rupees", "paisa", "paise"),
    "¢": ("cent", "cents", "", ""),
    "CHF": ("franc", "francs", "centime", "centimes"),
    "SEK": ("Swedish krona", "Swedish kronor", "öre", "öre"),
}
"""One, several, one hundredth, several hundredths."""
_CODES = {"USD": "$", "GBP": "£", "EUR": "€", "JPY": "¥", "INR": "₹", "CAD": "C$", "AUD": "A$"}
_SCALES = {"k": "thousand", "m": "million", "mn": "million", "b": "billion", "bn": "billion", "t": "trillion"}
_PERS = {"mo": "month", "yr": "year", "wk": "week", "hr": "hour", "h": "hour", "min": "minute", "kg": "kilogram"}

_AMOUNT = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+|(?=\.[0-9]))(?:\.[0-9]+|,[0-9]{2}(?![0-9]))?"
_SCALE = r"(?:\s?(?P<scale>(?i:thousand|million|billion|trillion|bn|mn|[kmbt]))(?![A-Za-z]))?"
_PER = r"(?:\s?/\s?(?P<per>[a-z]{1,8})(?![A-Za-z]))?"
_BEFORE = f"(?P<currency>{alternatives([*(c for c in _CURRENCIES if c != '¢'), *_CODES])})"
_AFTER = f"(?P<currency>{alternatives([*_CURRENCIES, *_CODES])})(?![A-Za-z])"
_RANGE = f"(?:{DASH}(?:{alternatives(['$', '£', '€', '¥', '₹'])})?(?P<to>{_AMOUNT}))?"


def _amount(text: str) -> str:
    """Return the amount with a point before the fraction."""
    found = re.sub(r",([0-9]{2})$", r".\1", text).replace(",", "")
    return f"0{found}" if found.startswith(".") else found


def _say(match: re.Match[str]) -> str:
    found = match.groupdict()
    names = _CURRENCIES[_CODES.get(found["currency"], found["currency"])]
    scale = (found["scale"] or "").lower()
    words = _value(_amount(found["amount"]), names, _SCALES.get(scale, scale))
    if found["to"]:
        to = _value(_amount(found["to"]), names, _SCALES.get(scale, scale))
        low = number(_amount(found["amount"])) if "." not in found["amount"] else words
        words = f"{low} to {to}"
    if found["per"]:
        words += f" per {_PERS.get(found['per'], found['per'])}"
    return f"minus {words}" if found["sign"] else words


def _value(amount: str, names: tuple[str, str, str, str], scale: str) -> str:
    one, many, small, smalls = names
    if scale:
        return f"{number(amount)} {scale} {many}"
    whole, _, fraction = amount.partition(".")
    if not small or len(fraction) not in {0, 2}:
        return f"{number(amount)} {one if amount == '1' else many}"
    main = f"{number(whole)} {one if whole == '1' else many}"
    if not fraction or fraction == "00":
        return main
    rest = f"{number(fraction.lstrip('0'))} {small if fraction == '01' else smalls}"
    return rest if not whole.strip("0") else f"{main} and {rest}"


_SIGN = r"(?<![A-Za-z0-9_.])(?P<sign>[-−](?=\S))?"
RULES: tuple[Rule, ...] = (
    rule(f"{_SIGN}{_BEFORE}\\s?(?P<amount>{_AMOUNT}){_RANGE}{_SCALE}{_PER}", _say),
    rule(f"{_SIGN}(?P<amount>{_AMOUNT}){_RANGE}{_SCALE}\\s?{_AFTER}{_PER}", _say),
)
