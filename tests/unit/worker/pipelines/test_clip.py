"""The application's own audio: played when nobody speaks, interrupted like the agent, and not remembered."""

from __future__ import annotations

import asyncio

from conversation_harness import Call, calling, in_virtual_time
from s2s_harness import FRAME, call

SECOND = bytes([0, 16]) * 16_000
LONG = "The first sentence is here. The second one comes after it. And the third is the last one."
AWAY = {"after": 5, "prompts": [], "goodbye": None}


def _heard_s(call: Call, turn: int) -> float:
    call.phone.advance()
    return len(call.phone.played.get(turn, b"")) / 2 / call.line.sample_rate


@in_virtual_time
async def test_pieces_that_follow_each_other_are_one_turn_and_no_history() -> None:
    """It begins and ends like an answer."""
    async with calling() as call:
        for _ in range(3):
            call.pipeline.say(SECOND)
            await asyncio.sleep(0.2)
        await call.until_free()
        assert list(call.phone.played) == [1]
        assert abs(_heard_s(call, 1) - 3) < 0.05
        assert [len(call.of(kind)) for kind in ("audio_start", "audio_end")] == [1, 1]
        assert call.states[-2:] == ["speaking", "listening"]
        assert call.log.said("agent") == []


@in_virtual_time
async def test_it_waits_until_the_agent_has_finished() -> None:
    """And has its turn's number only then."""
    async with calling((LONG,), ("Fine.",)) as call:
        await call.say("hello")
        await call.until(lambda: call.phone.heard(1))
        call.pipeline.say(SECOND)
        await call.until_free()
        assert call.phone.heard(1) == LONG.replace(". ", ".")
        assert abs(_heard_s(call, 2) - 1) < 0.05
        await call.say("thank you")
        await call.until_free()
        assert call.log.said("agent") == [(1, LONG, False), (3, "Fine.", False)]


@in_virtual_time
async def test_it_waits_until_the_caller_was_answered() -> None:
    """A guess at the answer is not spoilt."""
    async with calling(("Fine.",)) as call:
        call.begin("seventeen letters")
        await call.until(lambda: call.of("transcript"))
        call.pipeline.say(SECOND)
        await call.until_free()
        assert call.phone.heard(1) == "Fine."
        assert len(call.agent.asked) == len(call.agent.committed) == 1
        assert abs(_heard_s(call, 2) - 1) < 0.05


@in_virtual_time
async def test_a_caller_who_speaks_over_it_stops_it_with_all_that_waits() -> None:
    """The phone is told to pause and to drop it."""
    async with calling(("Fine.",)) as call:
        for _ in range(40):
            call.pipeline.say(SECOND)
        await asyncio.sleep(2)
        await call.say("no stop it please")
        await call.until_free()
        assert [kind for _, kind in call.phone.stopped] == ["pause", "clear"]
        assert _heard_s(call, 1) < 4
        assert call.log.said("agent") == [(2, "Fine.", False)]


@in_virtual_time
async def test_it_stands_still_on_hold_and_while_the_caller_is_away() -> None:
    """Then it goes on; nothing of it is lost."""
    async with calling() as call:
        call.pipeline.say(SECOND * 2)
        await asyncio.sleep(0.5)
        call.pipeline.hold(True)
        await asyncio.sleep(10)
        assert _heard_s(call, 1) < 0.7
        call.pipeline.hold(False)
        await asyncio.sleep(0.5)
        call.leave()
        await asyncio.sleep(10)
        call.come_back()
        await call.until_free()
        assert abs(_heard_s(call, 1) - 2) < 0.1


@in_virtual_time
async def test_what_comes_on_hold_waits() -> None:
    """Until the caller listens again."""
    async with calling() as call:
        call.pipeline.hold(True)
        call.pipeline.say(SECOND)
        await asyncio.sleep(10)
        assert call.phone.played == {}
        call.pipeline.hold(False)
        await call.until_free()
        assert abs(_heard_s(call, 1) - 1) < 0.05


@in_virtual_time
async def test_it_is_no_silence() -> None:
    """Nobody is hung up on while it plays."""
    async with calling(settings={"away": AWAY}) as call:
        call.pipeline.say(SECOND * 20)
        assert await call.pipeline.wait() == "away"
        assert 25 <= asyncio.get_running_loop().time() <= 26


@in_virtual_time
async def test_a_model_is_not_told_that_what_it_did_not_say_was_cut_off() -> None:
    """It would forget its own words."""
    async with call(max_duration=1, away={"goodbye": "Bye."}) as it:
        it.pipeline.say(FRAME * 200)
        assert await it.pipeline.wait() == "max_duration"
        assert (it.gateway.played(2), it.model.interrupted) == ("Bye.", [])


@in_virtual_time
async def test_it_is_heard_as_long_and_as_loud_at_another_rate() -> None:
    """The caller's is 8 kHz, the pieces' 16 kHz; they are converted as one stream."""
    async with call() as it:
        it.gateway.sample_rate = 8_000
        for _ in range(50):
            it.pipeline.say(SECOND[:640])
            await asyncio.sleep(0.02)
        await asyncio.sleep(1)
        samples = memoryview(bytes(it.gateway._pcm[1])).cast("h")
        assert abs(len(samples) - 8_000) <= 160
        assert all(abs(sample - 4_096) < 50 for sample in samples[2_000:6_000])
