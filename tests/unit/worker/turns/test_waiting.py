"""The curve from how finished a turn sounds to how long it is waited for."""

from __future__ import annotations

import time
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebackend.conversation import Endpointing
from worker.turns.habits import Habits
from worker.turns.waiting import Waiting, waiting

BASE_S = 0.192
TEXTS = st.one_of(
    st.text(max_size=80),
    st.sampled_from(
        ("", "Yes.", "and", "my number is 555", "It is 555 123 4567", "J O H N", "a at b dot", "I would like a table.")
    ),
)
PROBABILITIES = st.floats(0, 1)
PAUSES = st.lists(st.floats(0, 10), max_size=8)
SETTINGS = st.builds(
    lambda shortest, longest, adapt: Endpointing(
        min_wait=None if shortest is None else timedelta(seconds=shortest),
        max_wait=timedelta(seconds=longest),
        adapt=adapt,
    ),
    st.none() | st.floats(0.05, 5),
    st.floats(0.1, 10),
    st.booleans(),
)


def after(pauses: list[float]) -> Habits:
    """Return the habits of a caller who paused so."""
    habits = Habits()
    for pause in pauses:
        habits.went_on(pause)
    return habits


def wait(
    text: str, probability: float | None, settings: Endpointing | None = None, pauses: tuple[float, ...] = ()
) -> Waiting:
    """Decide, by default as shipped."""
    habits = after(list(pauses))
    return waiting(text, probability, base_s=BASE_S, settings=settings or Endpointing(), habits=habits)


@given(TEXTS, st.none() | PROBABILITIES, SETTINGS, PAUSES)
def test_the_wait_stays_between_shortest_and_longest(
    text: str, probability: float | None, settings: Endpointing, pauses: list[float]
) -> None:
    """Whatever was said, believed and learned; a shortest wait above the longest one counts."""
    shortest = BASE_S if settings.min_wait is None else settings.min_wait.total_seconds()
    longest = max(shortest, settings.max_wait.total_seconds())
    found = waiting(text, probability, base_s=BASE_S, settings=settings, habits=after(pauses))
    assert shortest - 1e-9 <= found.seconds <= longest + 1e-9


@given(TEXTS, PROBABILITIES, PROBABILITIES, SETTINGS, PAUSES)
def test_what_sounds_more_finished_never_waits_longer(
    text: str, one: float, other: float, settings: Endpointing, pauses: list[float]
) -> None:
    """The curve falls, also with habits and words in it."""
    less, more = sorted((one, other))
    habits = after(pauses)
    unsure = waiting(text, less, base_s=BASE_S, settings=settings, habits=habits)
    sure = waiting(text, more, base_s=BASE_S, settings=settings, habits=habits)
    assert sure.seconds <= unsure.seconds + 1e-9


@given(TEXTS, PAUSES)
def test_there_is_no_cliff(text: str, pauses: list[float]) -> None:
    """A five-hundredth more or less of probability changes the wait by less than a hundredth of a second."""
    habits = after(pauses)
    waits = [
        waiting(text, step / 500, base_s=BASE_S, settings=Endpointing(), habits=habits).seconds for step in range(501)
    ]
    assert max(abs(one - other) for one, other in pairwise(waits)) < 0.01


@given(TEXTS, st.none() | PROBABILITIES, SETTINGS, PAUSES)
def test_the_same_inputs_give_the_same_wait(
    text: str, probability: float | None, settings: Endpointing, pauses: list[float]
) -> None:
    """And the same reason."""
    found = [waiting(text, probability, base_s=BASE_S, settings=settings, habits=after(pauses)) for _ in range(2)]
    assert found[0] == found[1]


@pytest.mark.parametrize("piece", ["x", "a at ", "a b c ", "5 ", "x@y . ", "my email is ", "yes ", ", "])
def test_a_very_long_text_is_judged_as_fast_as_a_short_one(piece: str) -> None:
    """Twenty thousand characters do not hold the event loop up."""
    began = time.process_time()
    wait(piece * (20_000 // len(piece)), 0.5)
    assert time.process_time() - began < 2.0


def test_what_is_certainly_finished_is_answered_at_once() -> None:
    """The shortest wait, whatever this caller's habits are."""
    assert wait("A table for two.", 1.0).seconds == pytest.approx(BASE_S)
    assert wait("A table for two.", 1.0, pauses=(2.0, 2.0)).seconds == pytest.approx(BASE_S)


def test_what_is_certainly_unfinished_is_waited_for_the_longest() -> None:
    """Then the turn is over all the same."""
    assert wait("A table for two.", 0.0).seconds == pytest.approx(1.5)


def test_a_failed_detector_leaves_a_moderate_wait() -> None:
    """Longer than for a finished turn, much shorter than for an unfinished one."""
    found = wait("A table for two.", None)
    assert found.reason == "no_detector"
    assert wait("A table for two.", 1.0).seconds < found.seconds < 0.6


@pytest.mark.parametrize("text", ["Yes.", "Okay", "No, thanks.", "That's right, thank you!", "Yes, I do."])
def test_a_short_answer_is_over_at_once(text: str) -> None:
    """Even if the detector doubts it."""
    found = wait(text, 0.2)
    assert found.reason == "answer"
    assert found.seconds < BASE_S + 0.05


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("I want a table and", "conjunction"),
        ("I want a, um...", "filler"),
        ("My number is 555 123.", "digits"),
        ("four seven one four", "digits"),
        ("My name is Nancy, N-A-N.", "spelling"),
        ("It is john dot smith at gmail.", "email"),
    ],
)
def test_what_is_under_way_is_waited_for(text: str, reason: str) -> None:
    """Even if the detector is sure."""
    found = wait(text, 1.0)
    assert found.reason == reason
    assert found.seconds > 0.9


@pytest.mark.parametrize(
    ("begun", "complete"),
    [
        ("My phone number is 555 123.", "My phone number is 555 123 4567."),
        ("The zip code is 902.", "The zip code is 90210."),
        ("It is john at gmail.", "It is john at gmail dot com."),
    ],
)
def test_what_is_complete_by_count_waits_less(begun: str, complete: str) -> None:
    """Less than half of what the same number waits while digits are missing."""
    assert wait(complete, 1.0).seconds < wait(begun, 1.0).seconds / 2


def test_a_caller_who_pauses_long_is_given_time() -> None:
    """At most 0.6 of the longest wait, and only where the setting says so."""
    text, doubtful = "A table for two", 0.8
    assert wait(text, doubtful, pauses=(0.7, 0.7)).seconds > wait(text, doubtful).seconds
    assert wait(text, doubtful, pauses=(9.0,) * 9).seconds == pytest.approx(0.6 * 1.5)
    assert wait(text, doubtful, Endpointing(adapt=False), (9.0,) * 9).seconds == wait(text, doubtful).seconds
    assert wait(text, doubtful, pauses=(0.7, 0.7)).reason == "habits"


@given(TEXTS, st.none() | PROBABILITIES, PAUSES)
def test_a_decision_tells_its_inputs_without_a_word_of_the_caller(
    text: str, probability: float | None, pauses: list[float]
) -> None:
    """Numbers and categories: what callers say is never logged."""
    found = wait(text, probability, pauses=tuple(pauses))
    categories = {"", "answer", "filler", "conjunction", "digits", "number", "spelling", "email", "address"}
    assert set(found.inputs) == {"probability", "believed", "words", "usual_pause_s", "plain_s"}
    assert all(isinstance(value, float) or value in categories for value in found.inputs.values())
