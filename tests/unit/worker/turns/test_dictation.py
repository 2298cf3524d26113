"""Numbers, letters and addresses that are spelled out."""

from __future__ import annotations

import pytest

from worker.turns.dictation import Dictation, dictation


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("my number is 555-123.", Dictation.DIGITS),
        ("five five five, one two", Dictation.DIGITS),
        ("my phone number is double five five, one two three, four five six seven", Dictation.NUMBER),
        ("my order number is 471477", Dictation.NUMBER),
        ("the code is twenty-three seventeen", Dictation.NUMBER),
        ("the code is twenty-three", Dictation.DIGITS),
        ("j-o-h", Dictation.SPELLING),
        ("my last name is smyth, s m y", Dictation.SPELLING),
        ("john dot smith at gmail dot", Dictation.EMAIL),
        ("my email is john", Dictation.EMAIL),
        ("you can write to info at example", Dictation.EMAIL),
        ("my email is john.smith@gmail.com.", Dictation.ADDRESS),
        ("john at example dot org", Dictation.ADDRESS),
    ],
)
def test_what_is_spelled_out_is_noticed(text: str, found: Dictation) -> None:
    """With its end, or without."""
    assert dictation(text) is found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "...",
        "a table for two",
        "it costs 1500",
        "five five",
        "plan a",
        "see you at 5 p.m.",
        "at 3.30",
        "i would like to order two",
        "there are 500 dollars on my card, not 600",
        "i was born in the u.s.",
        "so do i",
        "i will send you an email",
        "my email is john at gmail dot com. can you read it back",
        "my number is 555 0199, and my name is john",
    ],
)
def test_other_talk_is_not_dictation(text: str) -> None:
    """Numbers that are said once, letters that are words, and what comes after an address."""
    assert dictation(text) is None
