"""A speech-to-speech model with an agent of ours in the loop: it listens and lends its voice, the agent answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from s2s_harness import AgentDouble, Asked, Model, call, in_virtual_time

from voicebackend.agents import uninterruptible
from voicebackend.errors import AgentError, InvalidConfig, OperationTimeout

ANSWER = ["Your balance is twenty dollars. ", "Anything else ", "I can do?"]
CLAUSES = ["Your balance is twenty dollars.", "Anything else I can do?"]


@in_virtual_time
async def test_the_agent_answers_and_the_model_speaks_clause_by_clause() -> None:
    """The model is told to listen only; the log has the agent's words."""
    agent = AgentDouble(ANSWER)
    async with call(agent=agent) as it:
        assert not it.model.answers
        it.model.hears("what is my balance")
        await it.until(5)
        assert [question.transcript for question in agent.asked] == ["what is my balance"]
        assert it.model.said == CLAUSES
        assert it.gateway.played(1) == "".join(CLAUSES)
        assert it.log.history() == [(1, "user", "what is my balance"), (1, "agent", " ".join(CLAUSES))]
        assert "turn" in it.gateway.kinds("turn")


@in_virtual_time
async def test_words_over_the_agent_cancel_it_and_cut_its_words_to_what_was_heard() -> None:
    """Also in the model's memory: nothing of the second clause, which it had made already."""
    agent = AgentDouble(ANSWER, ["Of course."])
    async with call(agent=agent) as it:
        it.model.hears("balance")
        await it.until(1)
        it.model.hears("no wait")
        await it.until(4)
        assert agent.asked[0].cancelled
        assert it.log.history()[1:] == [
            (1, "agent!", "Your balance is"),
            (2, "user", "no wait"),
            (2, "agent", "Of course."),
        ]
        assert it.model.interrupted == [0.0]
        assert it.gateway.played(2) == "Of course."


@in_virtual_time
async def test_the_model_remembers_what_was_played_of_the_clause_it_is_at() -> None:
    """In milliseconds of that clause."""
    async with call(agent=AgentDouble(["Your balance is twenty dollars."], ["Yes."])) as it:
        it.model.hears("balance")
        await it.until(1)
        it.model.hears("no wait")
        await it.until(2)
        [played_ms] = it.model.interrupted
        assert 900 <= played_ms <= 1000


@in_virtual_time
async def test_a_backchannel_does_not_disturb_the_agent() -> None:
    """It goes on where it stopped, and is not asked again."""
    agent = AgentDouble(ANSWER)
    async with call(agent=agent) as it:
        it.model.hears("balance")
        await it.until(1)
        it.model.hears("mhm")
        await it.until(5)
        assert it.gateway.played(1) == "".join(CLAUSES)
        assert len(agent.asked) == 1


@pytest.mark.parametrize("error", [AgentError("agent", "boom"), OperationTimeout("agent", "slow")])
def test_an_agent_that_fails_costs_the_turn_and_is_apologised_for(error: AgentError | OperationTimeout) -> None:
    """By the model's voice; the code is told and recorded, and the next turn is answered."""

    @in_virtual_time
    async def test() -> None:
        async with call(agent=AgentDouble([error], ["Here I am."]), apology="So sorry.") as it:
            it.model.hears("balance")
            await it.until(3)
            assert it.model.said == ["So sorry."]
            assert [event["code"] for event in it.gateway.events if event["type"] == "error"] == [str(error.code)]
            assert {"type": "error", "code": str(error.code), "turn": 1} in it.log.entries
            it.model.hears("are you there")
            await it.until(6)
            assert it.gateway.played(2) == "Here I am."

    test()


@in_virtual_time
async def test_a_slow_agent_is_bridged_by_a_filler() -> None:
    """Spoken by the model."""

    class SlowAgent(AgentDouble):
        def ask(self, turn: int, transcript: str, *, voice: bytes = b"", speculative: bool = False) -> Asked:
            return Slow(turn, transcript, ["At last."])

    class Slow(Asked):
        async def deltas(self) -> AsyncIterator[str]:
            await asyncio.sleep(3)
            yield "At last."

    async with call(agent=SlowAgent(), filler={"after": 1, "texts": ["One moment."]}) as it:
        it.model.hears("balance")
        await it.until(6)
        assert it.model.said == ["One moment.", "At last."]


@in_virtual_time
async def test_a_notice_that_must_be_heard_is_heard_to_its_end() -> None:
    """What the caller says meanwhile is answered afterwards."""
    notice = uninterruptible("This call is recorded.")
    async with call(agent=AgentDouble([notice], ["Why not."])) as it:
        it.model.hears("hello")
        await it.until(0.5)
        it.model.hears("no thanks")
        await it.until(5)
        assert it.gateway.kinds("pause", "clear") == []
        assert it.gateway.played(1) == "This call is recorded."
        assert it.log.history()[2:] == [(2, "user", "no thanks"), (2, "agent", "Why not.")]


@in_virtual_time
async def test_a_model_that_does_not_say_what_it_is_given_costs_the_turn() -> None:
    """After a while the turn is given up, told as a timeout; the call goes on."""
    model = Model()
    model.mute = True
    async with call(model=model, agent=AgentDouble(["Hello."], ["Here."])) as it:
        model.hears("hi")
        await it.until(15)
        assert [event["code"] for event in it.gateway.events if event["type"] == "error"] == ["timeout"]
        model.mute = False
        model.hears("hi again")
        await it.until(18)
        assert it.gateway.played(2) == "Here."


@in_virtual_time
async def test_a_model_that_answers_although_an_agent_does_is_not_heard() -> None:
    """What it says by itself is dropped."""
    async with call(agent=AgentDouble(["Yes."])) as it:
        it.model.speaks("I know better!")
        await it.until(2)
        it.model.hears("hi")
        await it.until(4)
        assert [it.gateway.sent(turn) for turn in (1, 2)] == ["Yes.", ""]


def test_an_agent_needs_a_model_that_can_be_told_what_to_say() -> None:
    """Refused before anything starts."""

    @in_virtual_time
    async def test() -> None:
        model = Model()
        model.can_say = False
        with pytest.raises(InvalidConfig, match="agent"):
            async with call(model=model, agent=AgentDouble()):
                pass

    test()
