"""What a caller types to a speech-to-speech model, and what a successor of the model is told."""

from __future__ import annotations

from s2s_harness import AgentDouble, call, in_virtual_time

from worker.pipelines.snapshot import UtteranceSnapshot

STORY = "Once upon a time there was a story."


@in_virtual_time
async def test_typed_text_is_a_turn_and_interrupts() -> None:
    """The model is told once it has been cut off; its answer is to that turn."""
    async with call() as it:
        it.model.takes_text = True
        it.model.hears("tell me a story")
        it.model.speaks(STORY)
        await it.until(0.8)
        it.pipeline.typed("what time is it")
        await it.until(1.5)
        assert len(it.model.interrupted) == 1
        assert it.model.told == ["what time is it"]
        it.model.speaks("Ten.")
        await it.until(3)
        first, *rest = it.log.history()[1:]
        assert first[1] == "agent!"
        assert STORY.startswith(first[2])
        assert rest == [(2, "user", "what time is it"), (2, "agent", "Ten.")]


@in_virtual_time
async def test_a_model_that_takes_no_text_says_so() -> None:
    """Nothing is asked, and what it says goes on."""
    async with call() as it:
        it.model.hears("tell me a story")
        it.model.speaks(STORY)
        await it.until(0.5)
        it.pipeline.typed("what time is it")
        await it.until(3)
        [error] = [event for event in it.gateway.events if event["type"] == "error"]
        assert error["code"] == "invalid_config"
        assert it.gateway.played(1) == STORY


@in_virtual_time
async def test_with_an_agent_of_ours_any_model_takes_typed_text() -> None:
    """The agent is asked; the model only speaks its answer."""
    agent = AgentDouble(["Ten."])
    async with call(agent=agent) as it:
        it.pipeline.typed("what time is it")
        await it.until(3)
        assert [asked.transcript for asked in agent.asked] == ["what time is it"]
        assert it.log.history() == [(1, "user", "what time is it"), (1, "agent", "Ten.")]


@in_virtual_time
async def test_what_is_not_answered_is_carried_over_as_text() -> None:
    """A successor that takes text is told it; it is in the log already."""
    async with call() as it:
        it.model.hears("what is my balance")
        await it.until(0.5)
        asking = it.pipeline.snapshot().asking
        assert isinstance(asking, UtteranceSnapshot)
        assert (asking.text, asking.turn, asking.logged, asking.typed) == ("what is my balance", 1, True, True)
        it.model.speaks("Twenty.")
        await it.until(1)
        assert it.pipeline.snapshot().asking is None
