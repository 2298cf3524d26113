"""A conversation that is not as expected does not pass, whatever is wrong with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from worker.scenarios.agent import ScriptedAgent
from worker.scenarios.expectations import Expectations, Remembered
from worker.scenarios.judge import judge
from worker.scenarios.replies import AgentScript
from worker.scenarios.seen import Seen
from worker.scenarios.sightings import Kind
from worker.scenarios.timeline import Event, Timeline

EVENTS = (
    Event(at=0.0, kind=Kind.SAYS, text="What is my balance?"),
    Event(at=1.0, kind=Kind.SAID, text="What is my balance?"),
    Event(at=1.4, kind=Kind.UNDERSTOOD, text="What is my balance?"),
    Event(at=1.5, kind=Kind.SPEAKS, text="1"),
    Event(at=1.5, kind=Kind.HEARS, text="Two"),
    Event(at=1.8, kind=Kind.HEARS, text="hundred"),
    Event(at=2.2, kind=Kind.CLEAR, text="1"),
)
SEEN = Seen(
    number=1,
    events=EVENTS,
    problems=[],
    history=[(1, Remembered(user="What is my balance?")), (1, Remembered(agent="Two hundred", interrupted=True))],
    heard={1: "Two hundred"},
    begun={1: "dol"},
    agent=ScriptedAgent(AgentScript(), Timeline()),
    seconds=3.0,
    late=0,
)
GOOD: dict[str, Any] = {
    "order": [{"understood": "balance"}, {"hears": "two hundred", "within": 0.2}, {"clear": "", "after": 0.5}],
    "absent": ["ended", {"hears": "dollars"}],
    "heard": ["Two hundred"],
    "history": [{"user": "What is my balance?"}, {"agent": "Two hundred", "interrupted": True}],
    "counts": {"turns": 1, "clears": 1, "pauses": 0},
    "answers_within": 0.5,
}


def test_what_is_as_expected_passes() -> None:
    """Nothing is complained about."""
    assert judge(Expectations.model_validate(GOOD), SEEN) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        pytest.param({"order": [{"hears": "three hundred"}]}, "not seen at all", id="never said"),
        pytest.param({"order": ["clear", {"hears": "two"}]}, "not seen after", id="wrong order"),
        pytest.param({"order": [{"clear": "", "within": 2}]}, "it took 2.200 s", id="too late"),
        pytest.param({"order": [{"clear": "", "after": 3}]}, "it took only 2.200 s", id="too soon"),
        pytest.param({"order": [{"hears": "hundred two"}]}, "not seen", id="words in another order"),
        pytest.param({"absent": [{"hears": "hundred"}]}, "must not be", id="must not be"),
        pytest.param({"heard": ["Two hundred dollars"]}, "- Two hundred dollars", id="heard less"),
        pytest.param({"heard": ["Two"]}, "- Two", id="heard more"),
        pytest.param({"heard": []}, "+ Two hundred", id="heard at all"),
        pytest.param({"history": [{"user": "What is my balance?"}]}, "+ agent: Two hundred", id="remembers more"),
        pytest.param({"history": []}, "history", id="remembers at all"),
        pytest.param({"counts": {"turns": 2}}, "turns: expected 2, seen 1", id="count"),
        pytest.param({"answers_within": 0.4}, "answered after 0.500 s", id="slow answer"),
    ],
)
def test_what_is_not_as_expected_is_told(change: dict[str, Any], told: str) -> None:
    """Once, with what was seen instead."""
    assert told in "\n".join(judge(Expectations.model_validate({**GOOD, **change}), SEEN))


@pytest.mark.parametrize(
    "remembered",
    [
        Remembered(agent="Two hundred dollars", interrupted=False),
        Remembered(agent="Two", interrupted=True),
        Remembered(agent="Two hundred dollars and", interrupted=True),
        Remembered(agent="Three hundred", interrupted=True),
    ],
    ids=str,
)
def test_memory_that_differs_from_hearing_never_passes(remembered: Remembered) -> None:
    """Whether the file says something about it or not."""
    seen = replace(SEEN, history=[(1, remembered)])
    assert "the agent remembers" in "\n".join(judge(Expectations(), seen))


def test_a_word_that_had_only_begun_may_be_remembered_or_not() -> None:
    """Nobody can say whether it was heard."""
    seen = replace(SEEN, history=[(1, Remembered(agent="Two hundred dollars", interrupted=True))])
    assert judge(Expectations(), seen) == []


def test_an_answer_that_is_not_remembered_never_passes() -> None:
    """It was heard, so it must be in the history."""
    assert "remembers nothing" in "\n".join(judge(Expectations(), replace(SEEN, history=[])))


def test_problems_and_late_frames_never_pass() -> None:
    """Unless faltering speech is what the scenario is about."""
    assert judge(Expectations(), replace(SEEN, problems=["it broke"])) == ["it broke"]
    assert judge(Expectations(), replace(SEEN, late=3)) == ["3 frames came late"]
    assert judge(Expectations(late_frames=True), replace(SEEN, late=3)) == []


def test_with_real_engines_what_sounds_alike_passes_and_what_does_not_fails() -> None:
    """Numbers and spelling do not matter, other words do."""
    heard = replace(SEEN, heard={1: "200 dollars."}, begun={}, history=[(1, Remembered(agent="Two hundred dollars."))])
    assert judge(Expectations(heard=("Two hundred dollars.",)), heard, real=True) == []
    other = replace(heard, heard={1: "You have no money at all."})
    assert judge(Expectations(heard=("Two hundred dollars.",)), other, real=True) != []
