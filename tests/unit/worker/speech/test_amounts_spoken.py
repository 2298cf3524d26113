"""Numbers, money and measures are read as a person would."""

from __future__ import annotations

import pytest
from spoken_form import spoken_form


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("0", "zero"),
        ("7 items", "seven items"),
        ("13", "thirteen"),
        ("21", "twenty-one"),
        ("100", "one hundred"),
        ("115", "one hundred fifteen"),
        ("1,000", "one thousand"),
        ("1,234,567", "one million two hundred thirty-four thousand five hundred sixty-seven"),
        ("3000000000", "three zero zero, zero zero zero, zero zero zero zero"),
        ("3.14", "three point one four"),
        ("0.5", "zero point five"),
        (".5", "point five"),
        ("-5", "minus five"),
        ("−5", "minus five"),
        ("~20", "about twenty"),
        ("007", "zero zero seven"),
        ("1st", "first"),
        ("the 22nd time", "the twenty-second time"),
        ("3rd", "third"),
        ("100th", "one hundredth"),
        ("the 20th", "the twentieth"),
        ("10-15 people", "ten to fifteen people"),
        ("2 – 3", "two to three"),
        ("16:9", "sixteen to nine"),
        ("in 45:30", "in forty-five thirty"),
        ("12, 13, and 14.", "twelve, thirteen, and fourteen."),
        ("It costs 3. Fine", "It costs three. Fine"),
        ("abc123", "abc one hundred twenty-three"),
    ],
)
def test_numbers(written: str, spoken: str) -> None:
    """Cardinals, ordinals, decimals, ranges, negatives."""
    assert spoken_form(written) == spoken


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("1/2", "one half"),
        ("3/4", "three quarters"),
        ("2/3 of it", "two thirds of it"),
        ("1 1/2 hours", "one and a half hours"),
        ("2½", "two and a half"),
        ("¼ cup", "one quarter cup"),
        ("5/100", "five out of one hundred"),
        ("4.5/5 stars", "four point five out of five stars"),
        ("10/10", "ten out of ten"),
        ("50/50", "fifty fifty"),
        ("32/7", "thirty-two over seven"),
        ("24/7", "twenty-four seven"),
    ],
)
def test_fractions(written: str, spoken: str) -> None:
    """Written with a slash or as one character, alone or after a whole number."""
    assert spoken_form(written) == spoken


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("$20", "twenty dollars"),
        ("$1", "one dollar"),
        ("$1.00", "one dollar"),
        ("$1.01", "one dollar and one cent"),
        ("$0.99", "ninety-nine cents"),
        ("$.50", "fifty cents"),
        ("$1,234.56", "one thousand two hundred thirty-four dollars and fifty-six cents"),
        ("€20", "twenty euros"),
        ("20€", "twenty euros"),
        ("20 €", "twenty euros"),
        ("19,99 €", "nineteen euros and ninety-nine cents"),
        ("20 EUR", "twenty euros"),
        ("USD 20", "twenty dollars"),
        ("£5m", "five million pounds"),
        ("£3.20", "three pounds and twenty pence"),
        ("$1.5 billion", "one point five billion dollars"),
        ("$10k", "ten thousand dollars"),
        ("¥500", "five hundred yen"),
        ("-$5", "minus five dollars"),
        ("$5-10", "five to ten dollars"),
        ("$10-$20", "ten to twenty dollars"),
        ("$5/month", "five dollars per month"),
        ("$12/mo", "twelve dollars per month"),
        ("50¢", "fifty cents"),
        ("It is $20.", "It is twenty dollars."),
        ("($20)", "(twenty dollars)"),
        ("A$30", "thirty Australian dollars"),
    ],
)
def test_money(written: str, spoken: str) -> None:
    """Sign before or after, hundredths, thousands and millions, ranges, rates."""
    assert spoken_form(written) == spoken


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("5 km", "five kilometers"),
        ("1 km", "one kilometer"),
        ("5km away", "five kilometers away"),
        ("5-km run", "five kilometer run"),
        ("20 °C", "twenty degrees Celsius"),
        ("-3 °C", "minus three degrees Celsius"),
        ("68°F", "sixty-eight degrees Fahrenheit"),
        ("90°", "ninety degrees"),
        ("50%", "fifty percent"),
        ("3.5 %", "three point five percent"),
        ("10-15%", "ten to fifteen percent"),
        ("5% – 10%", "five to ten percent"),
        ("10-15 min", "ten to fifteen minutes"),
        ("5 min. away", "five minutes away"),
        ("60 mph", "sixty miles per hour"),
        ("100 km/h", "one hundred kilometers per hour"),
        ("16 GB", "sixteen gigabytes"),
        ("2.4 GHz", "two point four gigahertz"),
        ("6 ft", "six feet"),
        ("5'10\"", "five foot ten"),
        ("20 m²", "twenty square meters"),
        ("150 lbs", "one hundred fifty pounds"),
        ("3x", "three times"),
        ("1920x1080", "nineteen twenty by ten eighty"),
        ("3 x 5", "three by five"),
        ("10k users", "ten thousand users"),
        ("4K", "four K"),
        ("5\u00a0km", "five kilometers"),
        ("2 hrs", "two hours"),
        ("1h 30m", "one hour thirty minutes"),
        ("2 tbsp of oil", "two tablespoons of oil"),
        ("10^6", "ten to the power of six"),
    ],
)
def test_measures(written: str, spoken: str) -> None:
    """Units by their names, one or several."""
    assert spoken_form(written) == spoken
