"""Registering agents: by name, and whether they may be asked before the caller has finished."""

from __future__ import annotations

import pytest

from voicebackend import agents
from voicebackend.agents import Turn, agent, find_agent, may_speculate
from voicebackend.errors import AgentError, InvalidConfig


@pytest.fixture(autouse=True)
def _registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agents, "_agents", {})
    monkeypatch.setattr(agents, "_patient", set())


def answer(turn: Turn) -> str:
    return turn.transcript


def test_a_registered_agent_is_found_by_its_name() -> None:
    """The decorator leaves the function as it is."""
    assert agent("echo")(answer) is answer
    assert find_agent("echo") is answer
    with pytest.raises(AgentError) as caught:
        find_agent("other")
    assert caught.value.details == {"known": ["echo"]}


def test_two_functions_cannot_have_one_name() -> None:
    """The same one can be registered again: a module may be imported twice."""
    agent("echo")(answer)
    agent("echo")(answer)
    with pytest.raises(InvalidConfig, match="twice"):
        agent("echo")(lambda turn: "other")


def test_registered_agents_may_be_asked_on_a_guess_unless_they_say_no() -> None:
    """What is registered nowhere here knows nothing of it: a callback of another process."""
    agent("echo")(answer)
    agent("patient", speculative=False)(lambda turn: turn.transcript)
    assert may_speculate("echo")
    assert not may_speculate("patient")
    assert not may_speculate("remote:objects-1:2")
    agent("echo", speculative=False)(answer)
    assert not may_speculate("echo")
    agent("echo")(answer)
    assert may_speculate("echo")


def test_a_turn_made_by_hand_runs_its_side_effects() -> None:
    """For tests of agents: nothing is speculative, and once calls the function."""
    turn = Turn(session_id="s", number=1, transcript="hi")
    assert not turn.speculative
    assert turn.once("book", lambda: 7) == 7
