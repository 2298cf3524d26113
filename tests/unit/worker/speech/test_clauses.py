"""Streamed text becomes pieces that sound right when spoken, as early as they do."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicebackend.agents import uninterruptible
from voicebackend.marks import HOLD, RELEASE, without_marks
from worker.speech.clauses import LONG, MAX_PIECE, Clause, ClauseCutter


def cut(*deltas: str) -> list[Clause]:
    """Return the clauses that come out of these deltas."""
    cutter = ClauseCutter()
    return [clause for delta in deltas for clause in cutter.push(delta)] + cutter.flush()


def texts(*deltas: str) -> list[str]:
    """Return what they were written as."""
    return [clause.text for clause in cut(*deltas)]


def at_once(*deltas: str) -> list[str]:
    """Return what comes out before anything follows the last delta."""
    cutter = ClauseCutter()
    return [clause.text for delta in deltas for clause in cutter.push(delta)]


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        pytest.param("One. Two! Three?", ["One.", "Two!", "Three?"], id="three marks"),
        pytest.param("Dr. Smith is in. Come.", ["Dr. Smith is in.", "Come."], id="title"),
        pytest.param("See J. R. Smith. Come.", ["See J. R. Smith.", "Come."], id="initials"),
        pytest.param("It costs 3.50 euros. Fine.", ["It costs 3.50 euros.", "Fine."], id="decimal point"),
        pytest.param('He said "No." Then he left.', ['He said "No."', "Then he left."], id="quoted"),
        pytest.param("No. I will not.", ["No.", "I will not."], id="no as a word"),
        pytest.param("It is No. 5 there.", ["It is No. 5 there."], id="no as a number"),
        pytest.param("Tea, milk etc. Then go.", ["Tea, milk etc.", "Then go."], id="etc. at an end"),
        pytest.param("Tea etc. and milk.", ["Tea etc. and milk."], id="etc. within"),
        pytest.param("At 3 p.m. we go.", ["At 3 p.m. we go."], id="p.m. within"),
        pytest.param("Wait... what? Yes.", ["Wait... what?", "Yes."], id="row of points within"),
        pytest.param("Wait... What?", ["Wait...", "What?"], id="row of points at an end"),
        pytest.param("First line\nSecond line", ["First line", "Second line"], id="line break"),
        pytest.param("1. Milk\n2. Eggs", ["1. Milk", "2. Eggs"], id="list"),
        pytest.param("See [Dr. A. No! b](http://x.y/z). Ok.", ["See [Dr. A. No! b](http://x.y/z).", "Ok."], id="link"),
        pytest.param("Visit example.com. Then go.", ["Visit example.com.", "Then go."], id="address"),
        pytest.param("... Well.", ["... Well."], id="marks alone are not a piece"),
        pytest.param("你好。今天天气很好！走吧", ["你好。", "今天天气很好！", "走吧"], id="Chinese"),
        pytest.param("مرحبا. كيف الحال؟ نعم", ["مرحبا.", "كيف الحال؟ نعم"], id="Arabic"),
        pytest.param("It takes 30 min. Serves 4.", ["It takes 30 min.", "Serves 4."], id="unit at an end"),
        pytest.param("It is on Nov. 3 there.", ["It is on Nov. 3 there."], id="month"),
        pytest.param("The 35th U.S. President spoke.", ["The 35th U.S. President spoke."], id="country"),
        pytest.param("Great 👍. Next!", ["Great 👍.", "Next!"], id="emoji"),
        pytest.param("", [], id="nothing"),
        pytest.param("   ", [], id="blank"),
    ],
)
def test_text_is_cut_at_sentences(text: str, pieces: list[str]) -> None:
    """Sentences are cut at their marks, and nowhere else, whether they come at once or bit by bit."""
    assert texts(text) == pieces
    assert texts(*(text[at : at + 3] for at in range(0, len(text), 3))) == pieces


@pytest.mark.parametrize(
    "deltas",
    [
        ("Hello there", "."),
        ("Hello", " there."),
        ("How are", " you?"),
        ("That is", " great", "!"),
        ("你好", "。"),
        ('She said "yes', '."'),
        ("On the 22nd", "."),
    ],
)
def test_a_sentence_that_is_certainly_whole_is_cut_at_once(deltas: tuple[str, ...]) -> None:
    """It need not wait for the next token."""
    assert at_once(*deltas) == ["".join(deltas)]


@pytest.mark.parametrize(
    "deltas",
    [
        ("It is 3", "."),
        ("I met Dr", "."),
        ("Wait", "..."),
        ("Ask J", "."),
        ("In the U.S", "."),
        ("See www.example", "."),
        ("See https://example.com/a", "?"),
        ('He said "yes', "."),
        ("(Like this", "."),
        ("**Done", "."),
        ("It is No", "."),
        ("e", "x", "a", "m", "p", "l", "e", "."),
    ],
)
def test_a_mark_that_may_go_on_waits(deltas: tuple[str, ...]) -> None:
    """A point may be of a number, an abbreviation, an initial, an address; a quotation or bracket may close."""
    assert at_once(*deltas) == []


def test_the_first_clause_comes_at_a_comma() -> None:
    """Once it has enough words; later ones wait for the sentence."""
    said = at_once("Thanks for calling us,", " how can I help", " you, my friend,", " today")
    assert said == ["Thanks for calling us,"]
    assert at_once("Sure,", " I can") == []
    assert at_once("Thanks for waiting today,") == ["Thanks for waiting today,"]


def test_the_first_clause_comes_before_a_conjunction() -> None:
    """Once it has still more words."""
    assert at_once("I have looked at your account", " and ", "found") == ["I have looked at your account"]
    assert at_once("You", " and ", "I") == []


@pytest.mark.parametrize(
    "text",
    [
        "The four numbers are 1,",
        "We will meet there at 3:",
        "It is on November 22, 2026 that",
        "We meet again on Tuesday,",
    ],
)
def test_numbers_and_dates_are_never_cut(text: str) -> None:
    """A comma or colon after a digit may be of the number, one after a weekday is of the date."""
    assert at_once(text) == []


def test_a_whole_sentence_is_not_cut_for_being_first() -> None:
    """There is nothing to win, and its melody to lose."""
    assert at_once("Thanks for calling us, how can I help? ") == ["Thanks for calling us, how can I help?"]


def test_a_long_sentence_is_cut_at_its_commas() -> None:
    """So that the caller does not wait for the whole, and can interrupt to the word."""
    pieces = texts("Well. " + "and then there was more to say, " * 12 + "at last.")
    assert len(pieces) > 2
    assert all(len(piece) <= LONG for piece in pieces)
    assert all(piece.endswith((",", ".")) for piece in pieces)


def test_text_without_any_mark_is_cut_at_a_space() -> None:
    """Pieces are bounded."""
    assert all(len(piece) <= MAX_PIECE for piece in texts("word " * 500))
    assert all(len(piece) <= MAX_PIECE for piece in texts("x" * 5000))


def test_marks_without_words_do_not_hold_up_the_caller() -> None:
    """However many come at once."""
    started = time.process_time()
    texts(". " * 20_000)
    assert time.process_time() - started < 5.0


def test_what_cannot_be_interrupted_is_cut_off_from_what_is_around_it() -> None:
    """Its marks are in no text."""
    found = cut("Hello, " + uninterruptible("this call is recorded. Really") + " How are you?")
    assert [(clause.text, clause.interruptible) for clause in found] == [
        ("Hello,", True),
        ("this call is recorded.", False),
        ("Really", False),
        ("How are you?", True),
    ]


def test_marks_may_come_in_other_deltas() -> None:
    """And wherever they come, they cut."""
    found = cut("One", HOLD, "two ", "three", RELEASE, "four")
    assert [(clause.text, clause.interruptible) for clause in found] == [
        ("One", True),
        ("two three", False),
        ("four", True),
    ]


def test_marks_without_their_counterpart_are_tolerated() -> None:
    """What is not released cannot be interrupted to the end of the answer."""
    found = cut(RELEASE + "one. " + HOLD + HOLD + "two")
    assert [(clause.text, clause.interruptible) for clause in found] == [("one.", True), ("two", False)]


def test_marking_twice_is_marking_once() -> None:
    """A marked text within a marked text does not end it early."""
    assert uninterruptible(f"a {uninterruptible('b')} c") == uninterruptible("a b c")


def test_code_is_written_but_not_spoken() -> None:
    """Wherever the fences are cut."""
    found = cut("Look:\n``", "`python\nx = 1. Then\n`", "``\nDone.")
    assert [(clause.text, clause.spoken) for clause in found] == [
        ("Look:", "Look:"),
        ("```python\nx = 1. Then\n```", ""),
        ("Done.", "Done."),
    ]


def test_without_normalising_the_voice_is_given_what_was_written() -> None:
    """For voices that read numbers well, or are given markup of their own."""
    (clause,) = ClauseCutter(normalise=False).push("It is <b>$20</b>! ")
    assert clause.spoken == clause.text == "It is <b>$20</b>!"


@settings(deadline=None)
@given(
    st.lists(st.one_of(st.text(max_size=80), st.sampled_from([HOLD, RELEASE, "```", ". ", "$5", ", "])), max_size=20)
)
def test_no_word_is_lost_or_changed(deltas: list[str]) -> None:
    """Whatever comes, all of it goes out, white space and marks aside, in bounded pieces whose units cover them."""
    found = cut(*deltas)
    written = "".join(clause.text for clause in found)
    assert "".join(written.split()) == "".join(without_marks("".join(deltas)).split())
    for clause in found:
        assert len(clause.text) <= MAX_PIECE + 80
        assert "".join(unit.written for unit in clause.units) == clause.text
        assert "".join(unit.spoken for unit in clause.units) == clause.spoken
