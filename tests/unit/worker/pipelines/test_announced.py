"""What somebody has said to the caller from outside: a notice, or last words before the end."""

from __future__ import annotations

import asyncio

from conversation_harness import calling, in_virtual_time

from voicebackend.interfaces import Pipeline
from worker.pipelines.own import OwnPipeline

LONG = "The first sentence is here. The second one comes after it. And the third is the last one."
SORRY = "Nobody takes the call."


@in_virtual_time
async def test_a_notice_is_said_and_remembered() -> None:
    """The call goes on."""
    async with calling(("Fine.",)) as call:
        call.pipeline.announce(SORRY)
        await call.until_free()
        assert call.phone.heard(1) == SORRY
        assert call.log.said("agent") == [(1, SORRY, False)]
        await call.say("hello")
        await call.until_free()
        assert call.phone.heard(2) == "Fine."


@in_virtual_time
async def test_a_notice_takes_the_place_of_what_is_being_said() -> None:
    """What was heard of that is remembered."""
    async with calling((LONG,)) as call:
        await call.say("hello")
        await call.until(lambda: len(call.phone.heard(1)) > 10)
        call.pipeline.announce(SORRY)
        await call.until(lambda: call.phone.heard(2) == SORRY)
        await call.until_free()
        (turn, said, interrupted), notice = call.log.said("agent")
        assert (turn, interrupted) == (1, True)
        assert LONG.startswith(said)
        assert notice == (2, SORRY, False)


@in_virtual_time
async def test_last_words_are_said_to_their_end_and_end_the_call() -> None:
    """For the reason that was given, whoever speaks; only the first."""
    async with calling((LONG,)) as call:
        await call.say("hello")
        await call.until(lambda: len(call.phone.heard(1)) > 10)
        call.pipeline.announce(LONG, end="machine")
        call.pipeline.announce("Never said.", end="other")
        call.begin("who is this and what do you want")
        assert await call.pipeline.wait() == "machine"
        assert call.log.said("agent")[-1] == (2, LONG, False)


class Elsewhere(Pipeline):
    """A provider that speaks alone, and has nothing to end for."""

    async def wait(self) -> str:
        """Go on for ever."""
        return str(await asyncio.Event().wait())


@in_virtual_time
async def test_where_the_provider_speaks_alone_only_the_end_comes() -> None:
    """A notice is left out; last words would be waited for in vain."""
    own = OwnPipeline(Elsewhere())
    waiting = asyncio.create_task(own.wait())
    assert not own.announce(SORRY)
    await asyncio.sleep(1)
    assert not waiting.done()
    assert not own.announce(SORRY, end="machine")
    assert await waiting == "machine"
