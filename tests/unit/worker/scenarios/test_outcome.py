"""A turn counts as completed without retry only if it was: the share falls with each that was not."""

from __future__ import annotations

from pathlib import Path

import pytest

from voicebackend.errors import ConnectionFailed
from worker.scenarios.agent import ScriptedAgent
from worker.scenarios.format import TtsScript
from worker.scenarios.outcome import Outcome, asked_again, total
from worker.scenarios.real import CountedTts
from worker.scenarios.replies import AgentScript
from worker.scenarios.report import summary, to_json
from worker.scenarios.runner import Result, run_file
from worker.scenarios.timeline import Timeline
from worker.scenarios.voice import ScriptedTts

TWO_TURNS = """\
name: Two questions are asked
{more}
agent: [{first}, Still two hundred dollars.]
caller:
  - say: What is my balance?
  - {then}
  - say: What is my balance, please?
  - listen
expect: {{history_as_heard: false, late_frames: true}}
"""


def held(folder: Path, *, more: str = "", first: str = "Two hundred dollars.", then: str = "listen") -> Result:
    path = folder / "two.yaml"
    path.write_text(TWO_TURNS.format(more=more, first=first, then=then), encoding="utf-8")
    result = run_file(path)
    assert result.ok, result.complaints
    return result


def test_turns_that_are_answered_are_completed(tmp_path: Path) -> None:
    """All of them, without a retry."""
    assert held(tmp_path).outcome == Outcome(turns=2, completed=2)


def test_a_voice_that_needs_a_second_try_lowers_the_share(tmp_path: Path) -> None:
    """The caller hears all, and later: the turn is completed, and not without retry."""
    result = held(tmp_path, more="engines: {tts: {fails_on: [1], retryable: true}}")
    assert result.outcome == Outcome(turns=2, completed=2, retries=1)
    assert result.outcome.share == 0.5
    assert "turns 2, completed without retry 1 (50.0%)" in summary([result], 1.0)
    told = to_json([result], 1.0)
    assert (told["turns"], told["without_retry"], told["share"]) == (2, 1, 0.5)


@pytest.mark.parametrize(
    ("more", "first"),
    [
        pytest.param("engines: {tts: {fails_on: [1]}}", "Two hundred dollars.", id="voice"),
        pytest.param("", "{say: [{error: agent_error}]}", id="agent"),
        pytest.param("", "{say: [{hangs: true}]}", id="agent that hangs"),
        pytest.param("", '"*** ### ~~~"', id="nonsense"),
    ],
)
def test_what_is_told_to_fail_is_counted_apart(tmp_path: Path, more: str, first: str) -> None:
    """The share is over the others."""
    result = held(tmp_path, more=more, first=first, then="pause: 20 s")
    assert result.outcome == Outcome(turns=2, as_scripted=1, completed=1)
    assert result.outcome.share == 1.0
    assert "turns 2 (1 failed as scripted), completed without retry 1 (100.0%)" in summary([result], 1.0)


def test_a_turn_that_is_not_answered_lowers_the_share(tmp_path: Path) -> None:
    """The call ends while the agent still thinks."""
    result = held(
        tmp_path,
        more="conversation: {max_duration: 6 s}",
        first="{say: [{wait: 8 s}, Two hundred dollars.]}",
        then="until: ended",
    )
    assert result.outcome == Outcome(turns=1)
    assert total([result.outcome, Outcome(turns=1, completed=1)]).share == 0.5


@pytest.mark.parametrize("first", ["{say: []}", "{say: [{wait: 8 s}, Two hundred dollars.]}"])
def test_an_agent_that_says_nothing_or_is_talked_over_has_completed_the_turn(tmp_path: Path, first: str) -> None:
    """Nobody was to be heard."""
    assert held(tmp_path, first=first, then="pause: 2 s").outcome == Outcome(turns=2, completed=2)


async def test_a_question_that_is_asked_again_for_a_turn_that_is_certain_is_a_retry() -> None:
    """And a guess that is dropped is none."""
    agent = ScriptedAgent(AgentScript(), Timeline())
    agent.ask(1, "what is", speculative=True)
    agent.ask(1, "what is my balance")
    assert asked_again(agent.questions) == 0
    agent.ask(1, "what is my balance")
    assert asked_again(agent.questions) == 1


async def test_a_real_voice_is_counted_too() -> None:
    """A text that it is given again after it failed is a retry; the same text said twice is none."""
    voice = CountedTts(ScriptedTts(TtsScript(fails_on=(2,), retryable=True)))

    async def say() -> bool:
        return any([isinstance(made, bytes) async for made in voice.synthesize("a")])

    assert await say()
    with pytest.raises(ConnectionFailed):
        await say()
    assert voice.retries == 0
    assert await say()
    assert await say()
    assert voice.retries == 1
