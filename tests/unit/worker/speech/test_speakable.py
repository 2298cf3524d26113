"""Whatever an agent writes, a voice is given words and marks, and every one of them comes from something written."""

from __future__ import annotations

import re
import time
import unicodedata

from hypothesis import given, settings
from hypothesis import strategies as st

from worker.speech.speakable import speakable
from worker.speech.unit import Unit, verbatim

PARTS = (
    *(
        "$",
        "€",
        "5",
        "10",
        "2026",
        ".",
        ",",
        "-",
        "–",
        " ",
        "/",
        ":",
        "pm",
        "a.m.",
        "Nov",
        "Mon.",
        "%",
        "km",
        "°C",
        "k",
        "v",
    ),
    *(
        "https://",
        "x.com",
        "@",
        "#",
        "(",
        ")",
        "+1",
        "555",
        "0",
        "st",
        "No.",
        "St.",
        "A",
        "API",
        "&",
        "1/2",
        "½",
        "\n",
        "```",
    ),
    *("<b>", "*", "|", "_", "[", "](", "你", "。", "😀", "é", "\x00", "\u00a0", "\ud800", "\U000f5b10", "'", '"'),
)
TEXTS = st.one_of(st.text(max_size=300), st.lists(st.sampled_from(PARTS), max_size=60).map("".join))
CLAUSE = (
    "Dr. Smith owes you $1,234.56 for 5 km on Nov 22nd at 14:05, see example.com or call 555-1234, if that is fine."
)


@settings(deadline=None, max_examples=300)
@given(TEXTS)
def test_units_cover_the_text(text: str) -> None:
    """Joined, they are the text and what is spoken, which is free of double spaces."""
    units = speakable(text)
    assert "".join(unit.written for unit in units) == text
    spoken = "".join(unit.spoken for unit in units)
    assert spoken == " ".join(spoken.split())
    assert not spoken or any(mark.isalnum() for mark in spoken)


@settings(deadline=None, max_examples=300)
@given(TEXTS)
def test_what_is_spoken_can_be_spoken(text: str) -> None:
    """No control character, surrogate, private mark, emoji or figure is left."""
    spoken = "".join(unit.spoken for unit in speakable(text))
    assert re.search(r"[0-9]", spoken) is None
    assert {unicodedata.category(mark) for mark in spoken} & {"Cc", "Cf", "Cs", "Co", "Cn", "So", "Sk"} == set()


@given(st.text(max_size=100))
def test_verbatim_units_are_the_words(text: str) -> None:
    """Spoken as written."""
    units = verbatim(text)
    assert "".join(unit.written for unit in units).strip() == text.strip()
    assert all(unit.written == unit.spoken for unit in units)


def test_every_word_is_mapped_to_what_is_spoken_for_it() -> None:
    """What is spoken as several words is one unit; what is silent is one of its own."""
    assert speakable("I owe **$20** 😀 by Nov 3.") == (
        Unit("I ", "I "),
        Unit("owe ", "owe "),
        Unit("**$20** ", "twenty dollars "),
        Unit("😀 ", ""),
        Unit("by ", "by "),
        Unit("Nov 3.", "November third."),
    )


def test_it_takes_no_time() -> None:
    """Well under a millisecond for a clause; the limit is for machines that are busy."""
    started = time.process_time()
    for _ in range(100):
        speakable(CLAUSE)
    assert time.process_time() - started < 2.0


def test_hostile_text_does_not_blow_up() -> None:
    """No pattern backtracks without end."""
    started = time.process_time()
    for part in ("<", "[", "1", "A-", "1-", "|--", "a.", "a@", "![a", "+1 ", "1/", "$", "x.com/", "`", " 0", "(1"):
        speakable((part * 300)[:300])
    assert time.process_time() - started < 4.0
