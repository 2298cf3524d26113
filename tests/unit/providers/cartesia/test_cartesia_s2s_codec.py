"""What an agent tells, to events: its turns, the caller's, and what is dropped of one that was cut off."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from providers.cartesia.config import CartesiaAgentConfig
from providers.cartesia.s2s_codec import MAX_HISTORY, MAX_SAID, AgentTurns, path, session_create, tool_refusal
from voicebackend.agents import HistoryEntry
from voicebackend.errors import InvalidFormat
from voicebackend.interfaces import S2sEvent

AUDIO = {"type": "audio_output", "audio": base64.b64encode(b"\x01\x02").decode()}
CLEAR = {"type": "audio_output_clear"}
SOUND = S2sEvent(kind="audio", pcm=b"\x01\x02")
DONE = S2sEvent(kind="turn_done")
STARTED = S2sEvent(kind="speech_started")


def begins(turn: int, role: str = "assistant") -> dict[str, Any]:
    """Return the beginning of a turn."""
    return {"type": "turn_started", "turn": turn, "role": role, "start_time": 1.0}


def words(turn: int, text: str, role: str = "assistant") -> dict[str, Any]:
    """Return more text of a turn."""
    return {"type": "turn_output_text_delta", "turn": turn, "role": role, "text": text}


def ends(turn: int, text: str = "", role: str = "assistant", *, interrupted: bool = False) -> dict[str, Any]:
    """Return the end of a turn."""
    return {"type": "turn_ended", "turn": turn, "role": role, "text": text, "interrupted": interrupted}


def told(turns: AgentTurns, *messages: dict[str, Any]) -> list[S2sEvent]:
    """Return what messages tell."""
    return [event for message in messages for event in turns.take(message)]


def said(text: str, *, final: bool = False) -> S2sEvent:
    """Return the agent's text."""
    return S2sEvent(kind="agent_text", text=text, final=final)


def test_a_caller_speaks_and_is_answered() -> None:
    """Silence is told with the words: the agent tells of neither before."""
    found = told(
        AgentTurns(),
        *(begins(1, "user"), words(1, "hel", "user"), words(1, "lo", "user"), ends(1, "hello", "user")),
        *(begins(2), words(2, "Good"), AUDIO, words(2, " day."), AUDIO, ends(2, "Good day.")),
    )
    assert found == [
        STARTED,
        S2sEvent(kind="user_text", text="hel"),
        S2sEvent(kind="user_text", text="hello"),
        S2sEvent(kind="speech_stopped"),
        S2sEvent(kind="user_text", text="hello", final=True),
        *(said("Good"), SOUND, said(" day."), SOUND, DONE),
    ]


def test_a_text_that_did_not_come_in_pieces_comes_whole() -> None:
    """It is told once."""
    assert told(AgentTurns(), begins(2), AUDIO, ends(2, "Good day.")) == [SOUND, said("Good day.", final=True), DONE]


def test_what_the_agent_clears_ends_and_what_comes_late_of_it_is_dropped() -> None:
    """Until its next turn."""
    turns = AgentTurns()
    assert told(turns, begins(2), AUDIO, CLEAR) == [SOUND, DONE]
    assert told(turns, AUDIO, words(2, "late"), ends(2, "Good", interrupted=True), CLEAR) == []
    assert told(turns, begins(4), AUDIO, ends(4)) == [SOUND, DONE]


def test_a_turn_that_is_cut_off_says_nothing_more_but_that_it_is_done() -> None:
    """The agent speaks on: it has not noticed."""
    turns = AgentTurns()
    told(turns, begins(2), AUDIO)
    turns.cut()
    assert told(turns, AUDIO, words(2, "more"), ends(2, "all of it")) == [DONE]
    assert told(turns, AUDIO) == []
    assert told(turns, begins(3), AUDIO) == [SOUND]


def test_what_the_agent_has_begun_since_the_caller_spoke_is_not_cut() -> None:
    """The turn that was spoken over is over."""
    turns = AgentTurns()
    told(turns, begins(2), AUDIO, begins(3, "user"), CLEAR, ends(3, "stop", "user"), begins(4))
    turns.cut()
    assert told(turns, AUDIO) == [SOUND]
    turns.cut()
    assert told(turns, AUDIO) == []


def test_cutting_nothing_does_nothing() -> None:
    """The first turn is heard."""
    turns = AgentTurns()
    turns.cut()
    assert told(turns, begins(1), AUDIO) == [SOUND]


def test_a_turn_that_never_ended_ends_with_the_next() -> None:
    """So the texts of two answers never mix."""
    assert told(AgentTurns(), begins(1), AUDIO, begins(2), AUDIO) == [SOUND, DONE, SOUND]


def test_an_end_of_another_turn_ends_nothing() -> None:
    """Nor does one before any."""
    assert told(AgentTurns(), ends(1), begins(2), ends(1), AUDIO, ends(2)) == [SOUND, DONE]


def test_audio_before_its_turn_is_of_it() -> None:
    """And if no turn comes, it ends when the caller speaks."""
    assert told(AgentTurns(), AUDIO, begins(1), AUDIO, ends(1)) == [SOUND, SOUND, DONE]
    assert told(AgentTurns(), begins(1), ends(1), AUDIO, begins(2, "user")) == [DONE, SOUND, DONE, STARTED]


def test_who_was_greeted_before_is_not_greeted_again() -> None:
    """A call that goes on over another connection: the agent is not heard before the caller has spoken."""
    turns = AgentTurns(greets=False)
    assert told(turns, AUDIO, begins(1), words(1, "Welcome!"), AUDIO, ends(1, "Welcome!")) == [DONE]
    assert told(turns, begins(2, "user"), ends(2, "hello", "user"), begins(3), AUDIO)[-1] == SOUND


@pytest.mark.parametrize(
    "message",
    [{}, {"type": "news"}, {"type": "turn_started"}, {"type": "audio_output"}, {"type": "dtmf_output", "digit": "5"}],
)
def test_messages_that_are_nothing_to_us_are_passed_over(message: dict[str, Any]) -> None:
    """The vendor may add others."""
    assert AgentTurns().take(message) == []


def test_audio_that_is_no_base64_is_nonsense() -> None:
    """It would be noise."""
    with pytest.raises(InvalidFormat):
        AgentTurns().take({"type": "audio_output", "audio": "!"})


@pytest.mark.parametrize(
    ("message", "answered"),
    [
        ({"tool_call_id": "call_1", "expects_response": True}, True),
        ({"tool_call_id": "call_1"}, True),
        ({"tool_call_id": "call_1", "expects_response": False}, False),
        ({"tool_call_id": 1}, False),
    ],
)
def test_a_tool_is_refused_where_an_answer_is_waited_for(message: dict[str, Any], answered: bool) -> None:
    """The agent is not left waiting."""
    found = tool_refusal(message)
    assert (found is not None) is answered
    assert found is None or (found["tool_call_id"], found["is_error"]) == ("call_1", True)


def test_an_agent_is_told_what_was_said_before() -> None:
    """By the placeholder for it, the end of it if it is long; empty at the beginning of a call."""
    config = CartesiaAgentConfig(agent_id="a", dynamic_variables={"name": "Ada"}, history_variable="so_far")
    history = [HistoryEntry(role="user", text="hello", turn=1), HistoryEntry(role="agent", text="hi", turn=1)]
    assert session_create(config)["dynamic_variables"] == {"name": "Ada", "so_far": ""}
    assert session_create(config, history)["dynamic_variables"]["so_far"] == "Caller: hello\nAgent: hi"
    long = [HistoryEntry(role="user", text="x" * MAX_HISTORY, turn=1), *history]
    assert len(session_create(config, long)["dynamic_variables"]["so_far"]) == MAX_HISTORY
    assert "dynamic_variables" not in session_create(CartesiaAgentConfig(agent_id="a"), history)


def test_an_agents_name_stays_within_its_place() -> None:
    """Whatever it is."""
    assert path(CartesiaAgentConfig(agent_id="a/../b?c")) == "/v1/agents/websocket/a%2F..%2Fb%3Fc"


def test_audio_that_is_cut_within_a_sample_is_put_together_again() -> None:
    """Within a turn; half a sample of one that has ended is not the beginning of the next."""
    half = {"type": "audio_output", "audio": base64.b64encode(b"\x01").decode()}
    rest = {"type": "audio_output", "audio": base64.b64encode(b"\x02\x03").decode()}
    turns = AgentTurns()
    assert told(turns, begins(1), half, rest, ends(1)) == [SOUND, DONE]
    assert told(turns, begins(2), AUDIO, ends(2)) == [SOUND, DONE]


def test_the_end_of_a_turn_that_did_not_begin_tells_nothing() -> None:
    """Not even its text: there is no turn that this would end."""
    assert told(AgentTurns(), {"type": "turn_ended", "role": "assistant", "text": "Hello."}) == []


@pytest.mark.parametrize("odd", [[], {}, 5, None])
def test_a_message_of_no_known_kind_tells_nothing(odd: object) -> None:
    """Whatever stands where its kind and its role should."""
    assert told(AgentTurns(), {"type": odd, "role": odd}, {"type": "turn_started", "role": odd}) == []


def test_a_turn_of_the_callers_without_an_end_is_bounded() -> None:
    """Its beginning is told."""
    found = told(AgentTurns(), begins(1, "user"), *[words(1, "word " * 1000, "user")] * 3)
    assert len(found[-1].text) == MAX_SAID
