"""Turn decisions from speech probabilities, in virtual time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from voicebackend.interfaces import VadProfile
from worker.turns.endpointing import HEARING, Decision, Endpointing, Hearing

FRAME_S = 0.032


def decisions(pattern: str, endpointing: Endpointing) -> list[tuple[int, Decision]]:
    """Run a pattern of frames (``#`` is speech, ``.`` is not); return each decision with the frame it came at."""
    found = []
    for index, mark in enumerate(pattern):
        decision = endpointing.step(0.9 if mark == "#" else 0.05, FRAME_S)
        if decision is not None:
            found.append((index, decision))
        if decision is Decision.MAY_END:
            settled = endpointing.wait_until(0.3)
            if settled is not None:
                found.append((index, settled))
    return found


def test_speech_then_silence_is_one_turn() -> None:
    """Speech starts after 64 ms and pauses after 64 ms of silence; if nobody judges, it may end at 0.5 s."""
    found = decisions("##########" + "." * 20, Endpointing(VadProfile()))
    assert found == [
        (1, Decision.STARTED),
        (11, Decision.PAUSED),
        (25, Decision.MAY_END),
        (25, Decision.ENDED),
    ]


def test_what_was_judged_in_time_ends_without_asking_again() -> None:
    """At the silence asked for, rounded up to frames."""
    endpointing = Endpointing(VadProfile())
    found = [endpointing.step(0.9, FRAME_S) for _ in range(10)]
    found += [endpointing.step(0.0, FRAME_S) for _ in range(3)]
    assert endpointing.wait_until(0.25) is None
    found += [endpointing.step(0.0, FRAME_S) for _ in range(5)]
    assert [decision for decision in found if decision] == [Decision.STARTED, Decision.PAUSED, Decision.ENDED]
    assert found[-1] is Decision.ENDED


def test_a_click_is_not_speech() -> None:
    """One frame above the threshold starts nothing."""
    assert decisions("#....#.#....", Endpointing(VadProfile())) == []


def test_a_caller_who_goes_on_keeps_the_turn() -> None:
    """A short pause is a pause, and the recogniser hears of each."""
    found = [decision for _, decision in decisions("######......######......", Endpointing(VadProfile()))]
    assert found == [Decision.STARTED, Decision.PAUSED, Decision.RESUMED, Decision.PAUSED]


def test_an_unfinished_sentence_is_waited_for() -> None:
    """After MAY_END the turn ends at the silence asked for, not before."""
    endpointing = Endpointing(VadProfile())
    for _ in range(10):
        endpointing.step(0.9, FRAME_S)
    while endpointing.step(0.0, FRAME_S) is not Decision.MAY_END:
        pass
    assert endpointing.wait_until(0.8) is None
    while endpointing.step(0.0, FRAME_S) is not Decision.ENDED:
        pass
    assert 0.8 <= endpointing.silence_s < 0.8 + FRAME_S


def test_an_open_microphone_ends_the_turn() -> None:
    """Speech that never stops is cut after the longest turn."""
    endpointing = Endpointing(VadProfile())
    frames = 0
    while endpointing.step(1.0, FRAME_S) is not Decision.CUT:
        frames += 1
    assert 30.0 <= (frames + 1) * FRAME_S < 30.0 + 2 * FRAME_S


@given(st.lists(st.floats(0, 1), max_size=400))
def test_no_probabilities_break_the_table(probabilities: list[float]) -> None:
    """Every decision follows the table, and silence within a turn never exceeds the longest wait."""
    endpointing = Endpointing(VadProfile())
    for probability in probabilities:
        before = endpointing.hearing
        decision = endpointing.step(probability, FRAME_S)
        if decision is not None:
            allowed, following = HEARING[decision]
            assert before in allowed
            assert endpointing.hearing is following
        assert endpointing.hearing is Hearing.QUIET or endpointing.silence_s <= 1.5 + FRAME_S
