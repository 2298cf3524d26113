"""A worker dies in the middle of a call, and another goes on: nothing lost, nothing twice."""

from __future__ import annotations

import asyncio

import pytest
from conversation_harness import in_virtual_time
from takeover_fuzz import hasty, perform, plan
from takeover_harness import calling

from voicebackend import virtual_time
from voicebackend.streams import Kind, json_payload

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
        assert call.heard(1).endswith("And this is its end. ")


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


@in_virtual_time
async def test_a_session_is_moved_on_purpose_without_a_gap() -> None:
    """A worker that is to stop hands its session over; the gateway's buffer covers the move."""
    async with calling((LONG,)) as call:
        await call.say("what about the weather")
        await asyncio.sleep(3)
        await call.hand_over()
        await call.until_free()
        assert call.store.said("agent") == [(1, LONG, False)]
        assert call.claims == [(1, 1)]
        assert call.gateway.line.phone.gaps == []


@in_virtual_time
async def test_an_agent_that_speaks_on_during_a_swap_is_heard_to_the_end() -> None:
    """Its words come every 20 ms while one pipeline has stopped, Redis is read, and the other is not open yet."""
    async with calling((LONG * 3,)) as call:
        await call.say("what about the weather")
        while not call.claims:  # noqa: ASYNC110 - the agent has no event
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.2)
        call.store.delay_s = 0.1
        call.lane.add(Kind.SWAP, json_payload({"id": "1", "stt_provider": "x"}))
        await call.until_free()
        assert call.store.said("agent") == [(1, LONG * 3, False)]
        assert [entry["swapped"] for _, entry in call.store.entries if entry["type"] == "swapped"] == [True]


@in_virtual_time
async def test_an_old_worker_is_not_heard_once_another_speaks() -> None:
    """A worker that slept and wakes up: what it sends is dropped."""
    async with calling((LONG,)) as call:
        await call.say("what about the weather")
        await asyncio.sleep(3)
        zombie, call.lane.reader = call.runner, None
        call.start()
        await call.until_free()
        assert zombie is not None and call.gateway.fenced > 0  # noqa: PT018 - one claim
        assert call.heard(1).endswith("And this is its end. ")
        zombie.abandon()


@pytest.mark.parametrize("batch", range(20))
def test_whatever_the_moment_nothing_is_lost_and_nothing_comes_twice(batch: int) -> None:
    """Workers die while they listen, think, speak, are interrupted, or have the caller on hold."""
    for seed in range(batch * 20, batch * 20 + 20):
        virtual_time.run(perform(plan(seed)))


@pytest.mark.parametrize("batch", range(5))
def test_whatever_the_moment_an_heir_may_die_as_soon_as_it_goes_on(batch: int) -> None:
    """Two or three die in quick succession: no word is lost, and few are said again."""
    for seed in range(batch * 20, batch * 20 + 20):
        virtual_time.run(perform(hasty(seed)))
