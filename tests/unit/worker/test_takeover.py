"""A worker dies in the middle of a call, and another goes on: nothing lost, nothing twice."""

from __future__ import annotations

import asyncio

from conversation_harness import in_virtual_time
from takeover_harness import calling

LONG = "This is a rather long answer that goes on for a while. There is more of it here. And this is its end."


@in_virtual_time
async def test_a_call_without_a_takeover_is_answered() -> None:
    """The harness itself holds a conversation."""
    async with calling((LONG,)) as call:
        await call.say("what about the weather")
        await call.until_free()
        assert call.store.said("user") == [(1, "what about the weather", False)]
        assert call.store.said("agent") == [(1, LONG, False)]
        assert call.heard(1).split() == LONG.split()
        assert call.effects == [(1, 1)]


@in_virtual_time
async def test_an_answer_goes_on_in_mid_sentence() -> None:
    """The worker dies while the agent speaks."""
    async with calling((LONG,)) as call:
        await call.say("what about the weather")
        await asyncio.sleep(3)
        await call.take_over()
        await call.until_free()
        assert call.store.said("user") == [(1, "what about the weather", False)]
        assert call.store.said("agent") == [(1, LONG, False)]
        assert call.claims == [(1, 1)]
        print(call.heard(1), call.checkpoints)


@in_virtual_time
async def test_what_the_caller_was_saying_is_understood_whole() -> None:
    """The worker dies while the caller speaks."""
    async with calling((LONG,)) as call:
        saying = asyncio.create_task(call.say("one two three four five six"))
        await asyncio.sleep(1)
        await call.take_over()
        await saying
        await call.until_free()
        assert call.store.said("user") == [(1, "one two three four five six", False)]
        assert call.store.said("agent") == [(1, LONG, False)]
