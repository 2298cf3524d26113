"""Dates, times and telephone numbers are read as a person would."""

from __future__ import annotations

import pytest
from spoken_form import spoken_form


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("2026-11-22", "November twenty-second, twenty twenty-six"),
        ("2026-11-22T14:05:00Z", "November twenty-second, twenty twenty-six at two oh five PM"),
        ("22/11", "November twenty-second"),
        ("11/22", "November twenty-second"),
        ("22/11/2026", "November twenty-second, twenty twenty-six"),
        ("3/4/2026", "March fourth, twenty twenty-six"),
        ("11/22/26", "November twenty-second, twenty twenty-six"),
        ("22.11.2026", "November twenty-second, twenty twenty-six"),
        ("Nov 22nd", "November twenty-second"),
        ("Nov. 22", "November twenty-second"),
        ("November 22, 2026", "November twenty-second, twenty twenty-six"),
        ("22 November 2026", "the twenty-second of November twenty twenty-six"),
        ("the 3rd of Dec.", "the third of December."),
        ("on 5 May", "on the fifth of May"),
        ("May 5th, please", "May fifth, please"),
        ("I may go", "I may go"),
        ("Nov 3-5", "November third to fifth"),
        ("Nov 2026", "November twenty twenty-six"),
        ("in Oct.", "in October."),
        ("Mon, Nov 3", "Monday, November third"),
        ("Tue. at noon", "Tuesday at noon"),
        ("Mon-Fri", "Monday to Friday"),
        ("in 2026", "in twenty twenty-six"),
        ("in 2005", "in two thousand five"),
        ("in 1905", "in nineteen oh five"),
        ("2019-2021", "twenty nineteen to twenty twenty-one"),
        ("the 1990s", "the nineteen nineties"),
        ("the '80s", "the eighties"),
        ("2026-13-45", "two zero two six, one three, four five"),
    ],
)
def test_dates(written: str, spoken: str) -> None:
    """In figures or words, with and without a year; years and decades alone."""
    assert spoken_form(written) == spoken


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("14:05", "two oh five PM"),
        ("14:00", "two PM"),
        ("3pm", "three PM"),
        ("3 p.m.", "three PM."),
        ("at 3 p.m. today", "at three PM today"),
        ("9:00", "nine o'clock"),
        ("09:30", "nine thirty"),
        ("9:15 AM", "nine fifteen AM"),
        ("00:30", "twelve thirty AM"),
        ("12:00", "twelve o'clock"),
        ("12:30 pm", "twelve thirty PM"),
        ("9:00-17:30", "nine o'clock to five thirty PM"),
        ("9-5pm", "nine to five PM"),
        ("9am – 5pm", "nine AM to five PM"),
        ("14:05:30", "two oh five and thirty seconds PM"),
        ("Come at 14:05.", "Come at two oh five PM."),
        ("5 am I late", "five AM I late"),
    ],
)
def test_times(written: str, spoken: str) -> None:
    """By twelve hours, as people say them."""
    assert spoken_form(written) == spoken


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("555-1234", "five five five, one two three four"),
        ("(555) 123-4567", "five five five, one two three, four five six seven"),
        ("555-123-4567", "five five five, one two three, four five six seven"),
        ("555.123.4567", "five five five, one two three, four five six seven"),
        ("+1 555 123 4567", "plus one, five five five, one two three, four five six seven"),
        ("+15551234567", "plus one, five five five, one two three, four five six seven"),
        ("1-800-555-1234", "one, eight hundred, five five five, one two three four"),
        ("020 7946 0958", "zero two zero, seven nine four six, zero nine five eight"),
        ("+44 20 7946 0958", "plus four four, two zero, seven nine four six, zero nine five eight"),
        ("Call 911 now", "Call nine one one now"),
        ("555-1234 ext. 12", "five five five, one two three four extension twelve"),
        (
            "4111 1111 1111 1111",
            "four one one one, one one one one, one one one one, one one one one",
        ),
        ("123-45-6789", "one two three, four five, six seven eight nine"),
        ("tel: 555-1234.", "tel: five five five, one two three four."),
    ],
)
def test_telephone_numbers(written: str, spoken: str) -> None:
    """Digit by digit, in the groups in which they are written."""
    assert spoken_form(written) == spoken
