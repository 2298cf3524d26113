"""Words from the times of their characters."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from providers.elevenlabs.words import Letters, WordClock
from voicebackend.interfaces import WordTime


def letters(text: str, start: int = 0) -> Letters:
    """Return characters of a tenth of a second each, of which the first is the ``start``th."""
    times = [round(0.1 * (start + at), 3) for at in range(len(text) + 1)]
    return Letters(list(text), times[:-1], times[1:])


def test_words_are_told_once_they_are_complete() -> None:
    """A word that is cut in two by the pieces is told with the second."""
    clock = WordClock("good day to you")
    assert [word.word for word in clock.push(letters("good d"))] == ["good"]
    assert clock.push(letters("ay", 6)) == [WordTime("day", 0.5, 0.8)]
    assert [word.word for word in clock.push(letters(" to you", 8))] == ["to", "you"]
    assert clock.flush() == []


def test_without_the_text_the_last_word_waits() -> None:
    """Nobody knows whether it goes on."""
    clock = WordClock()
    assert clock.push(letters("good")) == []
    assert clock.push(letters(" ", 4)) == [WordTime("good", 0.0, 0.4)]
    assert clock.push(letters("day")) == []
    assert clock.flush() == [WordTime("day", 0.0, 0.3)]


def test_pieces_may_tell_times_of_their_own() -> None:
    """They are moved to where the piece begins."""
    assert WordClock("day").push(letters("day"), offset_s=2.0) == [WordTime("day", 2.0, 2.3)]


def test_a_word_that_takes_no_time_is_not_told() -> None:
    """Some voices say nothing for a dash, and times may even run back."""
    assert WordClock("- a").push(Letters(["-", " ", "a"], [0.1, 0.1, 0.2], [0.1, 0.1, 0.1])) == []


def test_an_empty_piece_tells_nothing() -> None:
    """The last one is often empty."""
    assert WordClock("a").push(Letters([], [], [])) == []


@given(st.lists(st.text("ab ", max_size=5), max_size=8))
def test_however_the_text_is_cut_the_words_are_the_same(pieces: list[str]) -> None:
    """And each is told once, in order."""
    text = "".join(pieces)
    clock, at, found = WordClock(text), 0, list[WordTime]()
    for piece in pieces:
        found += clock.push(letters(piece, at))
        at += len(piece)
    found += clock.flush()
    assert [word.word for word in found] == text.split()
    assert all(one.end_s <= other.start_s for one, other in pairwise(found))
