"""What was said in the end, and whether an answer to the guess is an answer to it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.turns.speculation import close_enough

ALIKE = [
    ("I'd like to book a table", "I'd like to book a table."),
    ("what's the weather", "What's the weather?"),
    ("What is the weather", "What's the weather?"),
    ("book a table for two", "Um, book a table for, uh, two."),
    ("book a table", "Book a table, please."),
    ("So book a table", "book a table"),
    ("I I want to to cancel", "I want to cancel."),
    ("I cannot come", "I can't come."),
    ("ok", "Okay."),
    ("book table for two", "book a table for two"),
    ("I need an appointmen", "I need an appointment"),
    ("Please cancel my reservation", "Please cancel my reservations"),
    ("I have organised everything", "I have organized everything"),
    ("Can I check in now", "Can I checkin now?"),
    ("send an e-mail", "Send an e mail"),
    ("Yes", "Yes"),
    ("yes. a table", "Yes. A table."),
    ("uh-huh", "Uh-huh."),
    ("the fourth of July", "The fourth of July."),
]

DIFFERENT = [
    ("book a table", "book a table for two"),
    ("a table for two", "a table for three"),
    ("a table for 2", "a table for 3"),
    ("my number is five five", "my number is five five five"),
    ("my number is 555", "my number is 5555"),
    ("it costs $5", "it costs $15"),
    ("at 10:30", "at 10:45"),
    ("I want it", "I do not want it"),
    ("I want it", "I don't want it"),
    ("I can come", "I can't come"),
    ("Yes", "No"),
    ("Call Anna", "Call Hanna"),
    ("Call Alexandra", "Call Alexandrea"),
    ("call alexandra", "call alexandrea"),
    ("my name is maria", "my name is mario"),
    ("The red house", "The red horse"),
    ("I want to cancel", "I want to cancel my flight"),
    ("a flight to Berlin", "a flight from Berlin"),
    ("B A D", "B D"),
    ("vitamin", "vitamin a"),
    ("That is legal", "That is illegal"),
    ("um", "uh-huh"),
    ("uh-huh", "uh-uh"),
    ("", "yes"),
    ("seven thousand", "seven thousands more"),
    ("It is now here", "It is nowhere"),
    ("twenty one", "twentyone two"),
    ("Thursday", "Thursdays"),
    ("sure book it", "sure do not book it"),
]


@pytest.mark.parametrize(("guess", "final"), ALIKE)
def test_the_same_answer_will_do(guess: str, final: str) -> None:
    """Case, punctuation, fillers, courtesies, contractions, a spelling: and in both directions."""
    assert close_enough(guess, final)
    assert close_enough(final, guess)


@pytest.mark.parametrize(("guess", "final"), DIFFERENT)
def test_another_answer_is_needed(guess: str, final: str) -> None:
    """A number, a name, a negation or another word changed."""
    assert not close_enough(guess, final)
    assert not close_enough(final, guess)


WORDS = st.sampled_from(
    ["I", "want", "a", "table", "for", "two", "no", "not", "appointment", "Anna", "the", "please", "um", "5", "can't"]
)
TEXTS = st.lists(WORDS, max_size=12).map(" ".join)
NEW = st.sampled_from(["never", "seven", "7", "Berlin", "cancel", "tomorrow", "without", "reservation"])


@given(TEXTS)
def test_what_differs_in_case_and_punctuation_only_is_the_same(text: str) -> None:
    """Whatever was said."""
    assert close_enough(text, text)
    assert close_enough(text.lower(), f"{text.upper().replace(' ', ', ')}.")


@given(TEXTS, TEXTS)
def test_closeness_goes_both_ways(one: str, two: str) -> None:
    """It is a relation between two texts, not a direction."""
    assert close_enough(one, two) == close_enough(two, one)


@given(TEXTS, NEW, st.data())
def test_an_added_word_is_never_overlooked(text: str, new: str, data: st.DataObject) -> None:
    """Wherever it is said."""
    words = text.split()
    at = data.draw(st.integers(0, len(words)))
    assert not close_enough(text, " ".join([*words[:at], new, *words[at:]]))


@given(st.text(max_size=60), st.text(max_size=60))
def test_any_text_can_be_compared(one: str, two: str) -> None:
    """Recognisers may give anything."""
    assert close_enough(one, one)
    assert close_enough(one, two) == close_enough(two, one)
