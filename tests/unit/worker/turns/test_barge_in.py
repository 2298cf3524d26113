"""What speech over the agent means, case by case and as a table."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebackend.conversation import BargeIn
from worker.turns.barge_in import (
    PLAYING,
    Overlap,
    Playing,
    Verdict,
    is_answer,
    verdict,
    without_backchannels,
    words,
)

SETTINGS = BargeIn()
AGENT = "Your balance is two hundred and four dollars, and the next payment is due in June."
SPEAKING = Overlap(speech_s=0.35, heard_s=2.0, agent=AGENT)


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [
        pytest.param({}, Verdict.HOLD, id="a sound, nothing recognised yet"),
        pytest.param({"text": "stop"}, Verdict.INTERRUPT, id="a word"),
        pytest.param({"text": "Hut", "speech_s": 0.1}, Verdict.HOLD, id="a first guess at a tenth of a second"),
        pytest.param(
            {"text": "No", "speech_s": 0.2, "settled": True}, Verdict.INTERRUPT, id="a short word, and that was it"
        ),
        pytest.param({"text": "Mhm."}, Verdict.HOLD, id="a backchannel, still sounding"),
        pytest.param({"text": "Mhm.", "settled": True}, Verdict.RESUME, id="a backchannel"),
        pytest.param({"text": "Right, okay, yeah.", "settled": True}, Verdict.RESUME, id="three in a row"),
        pytest.param({"text": "I see", "settled": True}, Verdict.RESUME, id="one of two words"),
        pytest.param({"text": "Yeah, but wait", "settled": True}, Verdict.INTERRUPT, id="a backchannel and more"),
        pytest.param({"settled": True}, Verdict.RESUME, id="a cough"),
        pytest.param({"silence_s": 2.0}, Verdict.RESUME, id="a recogniser that never says anything"),
        pytest.param({"speech_s": 2.5}, Verdict.INTERRUPT, id="long speech that is not recognised"),
        pytest.param({"speech_s": 2.5, "text": "yeah"}, Verdict.HOLD, id="a long backchannel"),
        pytest.param({"heard_s": 0.1, "speech_s": 0.2}, Verdict.WAIT, id="a sound at the start: an echo?"),
        pytest.param({"heard_s": 0.1, "speech_s": 0.5}, Verdict.HOLD, id="a sound at the start that lasts"),
        pytest.param({"heard_s": 0.1, "text": "no wait"}, Verdict.INTERRUPT, id="words at the start"),
        pytest.param({"heard_s": 0.0}, Verdict.HOLD, id="a sound before the agent has begun"),
        pytest.param({"text": "hundred and four dollars"}, Verdict.HOLD, id="the agent's own words"),
        pytest.param({"text": "two dollars"}, Verdict.INTERRUPT, id="too few words for an echo"),
        pytest.param({"text": "stop", "interruptible": False}, Verdict.RESUME, id="a legal notice"),
    ],
)
def test_verdicts(overlap: dict[str, object], expected: Verdict) -> None:
    """One line a case."""
    assert verdict(replace(SPEAKING, **overlap), SETTINGS) is expected  # type: ignore[arg-type]


def test_barge_in_can_be_switched_off_and_made_harder() -> None:
    """Without it nothing stops the agent; with two words needed, one holds it only."""
    stop = replace(SPEAKING, text="stop")
    assert verdict(stop, BargeIn(enabled=False)) is Verdict.RESUME
    assert verdict(stop, BargeIn(min_words=2)) is Verdict.HOLD
    assert verdict(replace(stop, text="stop it"), BargeIn(min_words=2)) is Verdict.INTERRUPT


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [
        pytest.param({"text": "stop that"}, True, id="words"),
        pytest.param({"text": "yes"}, False, id="yes in the middle"),
        pytest.param({"text": "yes", "remaining_s": 0.4}, True, id="yes at the end answers the question"),
        pytest.param({"text": "yes", "remaining_s": 4.0}, False, id="yes long before the end"),
        pytest.param({"text": "", "remaining_s": 0.1}, False, id="nothing"),
        pytest.param({"text": "next payment is due", "remaining_s": 0.1}, False, id="echo"),
    ],
)
def test_what_counts_as_a_turn(overlap: dict[str, object], expected: bool) -> None:
    """Only what wants an answer gets one."""
    assert is_answer(replace(SPEAKING, settled=True, **overlap), SETTINGS) is expected  # type: ignore[arg-type]


@given(st.text(max_size=60))
def test_words_are_lower_case_and_never_empty(text: str) -> None:
    """Whatever a recogniser writes."""
    found = words(text)
    assert all(found)
    assert words(" ".join(found)) == found


@given(st.lists(st.sampled_from(SETTINGS.backchannels), max_size=6))
def test_any_row_of_backchannels_leaves_nothing(row: list[str]) -> None:
    """In any order."""
    assert without_backchannels(words(" ".join(row)), SETTINGS.backchannels) == ()


@given(
    st.builds(
        Overlap,
        speech_s=st.floats(0, 10),
        text=st.sampled_from(["", "mhm", "stop", "next payment is due in", "yeah but no"]),
        silence_s=st.floats(0, 3),
        settled=st.booleans(),
        heard_s=st.floats(0, 5),
        remaining_s=st.none() | st.floats(0, 5),
        agent=st.sampled_from(["", AGENT]),
        interruptible=st.booleans(),
    )
)
def test_what_has_settled_is_decided(overlap: Overlap) -> None:
    """Nobody is held for ever: once the caller is silent and all is recognised, the agent goes on or stops."""
    decided = verdict(replace(overlap, settled=True), SETTINGS)
    assert decided in {Verdict.RESUME, Verdict.INTERRUPT}


def test_the_table_leads_everywhere_and_never_back_from_dropped() -> None:
    """Each state of playing can be reached; what was dropped stays so."""
    assert {following for _, following in PLAYING.values()} == set(Playing)
    assert not any(Playing.DROPPED in before for before, _ in PLAYING.values())
