"""Streamed text becomes pieces that sound right when spoken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.speech.clauses import MAX_PIECE, SentenceCutter


def cut(*deltas: str) -> list[str]:
    """Return the pieces that come out of these deltas."""
    cutter = SentenceCutter()
    pieces = [piece for delta in deltas for piece in cutter.push(delta)]
    rest = cutter.flush()
    return [*pieces, rest] if rest else pieces


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        pytest.param("One. Two! Three?", ["One.", "Two!", "Three?"], id="three marks"),
        pytest.param("Dr. Smith is in. Come.", ["Dr. Smith is in.", "Come."], id="abbreviation"),
        pytest.param("It costs 3.50 euros. Fine.", ["It costs 3.50 euros.", "Fine."], id="decimal point"),
        pytest.param('He said "No." Then he left.', ['He said "No."', "Then he left."], id="quoted"),
        pytest.param("First line\nSecond line", ["First line", "Second line"], id="line break"),
        pytest.param("... Well.", ["... Well."], id="marks alone are not a piece"),
        pytest.param("", [], id="nothing"),
        pytest.param("   ", [], id="blank"),
    ],
)
def test_text_is_cut_at_sentences(text: str, pieces: list[str]) -> None:
    """Sentences are cut at their marks, and nowhere else."""
    assert cut(text) == pieces


def test_a_sentence_comes_out_as_soon_as_the_next_begins() -> None:
    """The first sentence need not wait for the second to be complete."""
    cutter = SentenceCutter()
    assert cutter.push("Hello there") == []
    assert cutter.push(". ") == ["Hello there."]


def test_a_mark_at_the_end_of_a_delta_waits_for_what_follows() -> None:
    """A point may be a decimal point until the next character is known."""
    assert cut("It is 3", ".", "5 now.") == ["It is 3.5 now."]


@given(st.lists(st.text(max_size=80), max_size=20))
def test_no_word_is_lost_or_changed(deltas: list[str]) -> None:
    """Whatever comes, all of it goes out, white space aside, in pieces of bounded length."""
    pieces = cut(*deltas)
    assert "".join("".join(pieces).split()) == "".join("".join(deltas).split())
    assert all(len(piece) <= MAX_PIECE + 80 for piece in pieces)
