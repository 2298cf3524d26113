"""Measures: ``5 km``, ``20 °C``, ``100%``, ``10-15 min``, ``3x``, ``1920x1080``."""

from __future__ import annotations

import re

from worker.speech.numbers import DASH, NUMBER, START, number, year
from worker.speech.rule import Rule, alternatives, rule, table

_PLAIN = table("""
    mm = millimeter; cm = centimeter; m = meter; km = kilometer; mi = mile; yd = yard; ha = hectare
    mg = milligram; g = gram; kg = kilogram; lb = pound; lbs = pound; oz = ounce; t = ton; ml = milliliter
    mL = milliliter; cl = centiliter; l = liter; L = liter; gal = gallon; ms = millisecond; s = second
    sec = second; secs = second; min = minute; mins = minute; h = hour; hr = hour; hrs = hour; wk = week
    wks = week; mo = month; mos = month; yr = year; yrs = year; bit = bit; kB = kilobyte
    KB = kilobyte; MB = megabyte; GB = gigabyte; TB = terabyte; W = watt; kW = kilowatt; MW = megawatt
    kWh = kilowatt hour; V = volt; mA = milliampere; mAh = milliampere hour; kcal = kilocalorie; cal = calorie
    ° = degree; px = pixel; pt = point; pts = point; pcs = piece; sqm = square meter; m² = square meter
    m2 = square meter; km² = square kilometer; m³ = cubic meter; acre = acre
    tbsp = tablespoon; tsp = teaspoon
""")
"""What is said with an s for several."""
_OTHER = table("""
    % = percent, percent; ft = foot, feet
    inch = inch, inches; mph = mile per hour, miles per hour
    °C = degree Celsius, degrees Celsius; °F = degree Fahrenheit, degrees Fahrenheit
    km/h = kilometer per hour, kilometers per hour; kph = kilometer per hour, kilometers per hour
    m/s = meter per second, meters per second; Hz = hertz, hertz
    kHz = kilohertz, kilohertz; MHz = megahertz, megahertz
    GHz = gigahertz, gigahertz; dB = decibel, decibels
    Mbps = megabit per second, megabits per second; Gbps = gigabit per second, gigabits per second
    sq ft = square foot, square feet; sq m = square meter, square meters
    ft² = square foot, square feet
""")
"""One, several."""
_UNITS = {
    **{unit: (name, f"{name}s") for unit, name in _PLAIN.items()},
    **{unit: tuple(names.split(", ")) for unit, names in _OTHER.items()},
}
_SCALES = {"k": "thousand", "K": "thousand", "M": "million", "bn": "billion", "B": "billion"}


def _say(match: re.Match[str]) -> str:
    one, many = _UNITS[re.sub(r"\s", " ", match["unit"])]
    words = ("minus " if match["sign"] else "") + number(match["amount"])
    if match["to"]:
        words += f" to {number(match['to'])}"
    single = match["gap"] == "-" or (match["amount"] == "1" and not match["to"])
    words += f" {one if single else many}"
    if match["per"]:
        words += f" per {_PLAIN.get(match['per'], match['per'])}"
    return words


def _scaled(match: re.Match[str]) -> str | None:
    if match.group() in {"4K", "8K"}:
        return f"{number(match['amount'])} K"
    return f"{number(match['amount'])} {_SCALES[match['scale']]}"


def _duration(match: re.Match[str]) -> str:
    """Read ``1h 30m``, whose m are minutes."""
    hours, minutes = match["hours"], match["minutes"]
    return f"{number(hours)} {_several('h', hours)} {number(minutes)} {_several('min', minutes)}"


def _several(unit: str, amount: str) -> str:
    return _UNITS[unit][amount != "1"]


def _side(figures: str) -> str:
    """Return ``nineteen twenty`` for a screen's 1920."""
    return year(int(figures)) if len(figures) == 4 else number(figures)  # noqa: PLR2004  # said as two pairs


def _feet(match: re.Match[str]) -> str:
    return f"{number(match['feet'])} foot {number(match['inches'])}"


_END = r"(?![A-Za-z0-9²³])"
RULES: tuple[Rule, ...] = (
    rule(rf"{START}(?P<hours>[0-9]{{1,2}})\s?h\s?(?P<minutes>[0-5]?[0-9])\s?m(?:in)?{_END}", _duration),
    rule(rf"{START}(?P<feet>[1-9])['′]\s?(?P<inches>1[01]|[0-9])(?:[\"″]|'')", _feet),
    rule(
        rf"{START}(?P<sign>(?<!\S)[-−])?(?P<amount>{NUMBER})(?:%?{DASH}(?P<to>{NUMBER}))?(?P<gap>[\s-]?)"
        rf"(?P<unit>{alternatives(_UNITS)}){_END}(?:/(?P<per>[a-z]{{1,8}})(?![A-Za-z]))?"
        rf"(?:\.(?=\s[a-z]))?",
        _say,
    ),
    rule(rf"{START}(?P<amount>[0-9]{{1,3}}(?:\.[0-9])?)(?P<scale>[kKM]|bn|(?<=\.[0-9])B)(?:\+(?!\S))?{_END}", _scaled),
    rule(
        rf"{START}(?P<amount>[0-9]{{1,5}})(?:[x×]|\s[x×]\s)(?P<to>[0-9]{{1,5}}){_END}",
        lambda match: f"{_side(match['amount'])} by {_side(match['to'])}",
    ),
    rule(rf"{START}(?P<amount>{NUMBER})[x×]{_END}", lambda match: f"{number(match['amount'])} times"),
)
