"""A call with a speech-to-speech model from greeting to end: silence, hold, processors, malformed audio."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from s2s_harness import FRAME, Model, call, in_virtual_time

from voicebackend.conversation import Conversation
from voicebackend.errors import ConnectionFailed, InvalidConfig
from voicebackend.interfaces import Engines, S2sEvent
from worker.pipelines.s2s import S2sPipeline

BALANCE = "Your balance is twenty dollars today."
"""37 characters: 1.85 s."""


@in_virtual_time
async def test_greeting_and_prompts_are_spoken_by_the_model() -> None:
    """And the call ends when nobody answers them."""
    async with call(greeting="Hello there.", away={"after": 2, "prompts": ["Still there?"], "goodbye": "Bye."}) as it:
        assert await it.pipeline.wait() == "away"
        assert it.model.said == ["Hello there.", "Still there?", "Bye."]
        assert [text for _, _, text in it.log.history()] == it.model.said


@pytest.mark.parametrize("way", ["aclose", "abandon"])
def test_the_model_is_hung_up_on_even_where_closing_is_cancelled(way: str) -> None:
    """A session's time to close is over while its tasks end."""

    @in_virtual_time
    async def main() -> None:
        async with call() as it:
            await asyncio.sleep(0.1)
            closing = asyncio.create_task(getattr(it.pipeline, way)(), name="closing")
            await asyncio.sleep(0)
            closing.cancel()
            await asyncio.gather(closing, return_exceptions=True)
            assert closing.cancelled()
            assert it.model.closed

    main()


@in_virtual_time
async def test_a_greeting_comes_before_what_the_model_has_begun_by_itself() -> None:
    """Each has its own words."""
    async with call(greeting="Welcome.") as it:
        it.model.speaks("Good day to you.", done=False)
        await it.until(4)
        assert [it.gateway.played(turn) for turn in (0, 1)] == ["Welcome.", "Good day to you."]


@in_virtual_time
async def test_the_late_end_of_an_answer_does_not_end_the_next() -> None:
    """It comes after the caller has cut that off, and before a prompt is spoken."""
    async with call(away={"after": 1}) as it:
        it.model.hears("balance")
        it.model.speaks(BALANCE, done=False)
        await it.until(1)
        it.model.hears("no wait")
        await it.until(1.9)
        it.model.mute = True
        await it.until(2.5)
        assert it.model.said == ["Are you still there?"]
        it.model.notice("turn_done")
        it.model.speaks("Are you still there?")
        await it.until(5)
        assert it.gateway.played(3) == "Are you still there?"


@in_virtual_time
async def test_a_model_that_cannot_be_told_what_to_say_stays_silent_for_as_long() -> None:
    """No greeting, no prompt, but the same patience."""
    model = Model()
    model.can_say = False
    async with call(model=model, greeting="Hello.", away={"after": 2, "prompts": ["A?", "B?"]}) as it:
        assert await it.pipeline.wait() == "away"
        assert (it.model.said, asyncio.get_running_loop().time()) == ([], pytest.approx(6))


@in_virtual_time
async def test_the_call_ends_when_it_has_lasted_long_enough() -> None:
    """Whatever the model does."""
    async with call(max_duration=5) as it:
        it.model.hears("balance")
        assert await it.pipeline.wait() == "max_duration"


@in_virtual_time
async def test_the_goodbye_is_heard_although_the_model_speaks() -> None:
    """It is cut off, and told what was heard of it."""
    async with call(max_duration=1, away={"goodbye": "Bye."}) as it:
        it.model.hears("balance")
        it.model.speaks(BALANCE)
        assert await it.pipeline.wait() == "max_duration"
        assert (it.gateway.played(2), len(it.model.interrupted)) == ("Bye.", 1)


@in_virtual_time
async def test_a_caller_on_hold_is_not_heard_and_hears_nothing() -> None:
    """The answer stands still, and goes on afterwards."""
    async with call() as it:
        it.model.hears("balance")
        it.model.speaks(BALANCE)
        await it.until(0.5)
        it.pipeline.hold(True)
        it.pipeline.push(FRAME)
        await it.until(10)
        assert len(it.gateway.played(1)) < 15
        it.pipeline.hold(False)
        await it.until(13)
        assert it.gateway.played(1) == BALANCE
        assert it.model.heard == []


@in_virtual_time
async def test_the_applications_audio_is_played_between_answers() -> None:
    """As a turn of its own."""
    async with call() as it:
        it.pipeline.say(FRAME * 10)
        await it.until(1)
        assert it.gateway._pcm[1] == FRAME * 10


@in_virtual_time
async def test_a_model_that_hangs_up_ends_the_call_after_its_last_words() -> None:
    """All of them are heard."""
    async with call() as it:
        it.model.hears("bye")
        it.model.speaks("Goodbye.", done=False)
        it.model.hangs_up()
        assert await it.pipeline.wait() == "closed"
        assert it.gateway.played(1) == "Goodbye."


@in_virtual_time
async def test_a_model_that_fails_ends_the_call() -> None:
    """With the code of a lost connection."""
    async with call() as it:
        it.model.notice("error")
        with pytest.raises(ConnectionFailed):
            await it.pipeline.wait()


@in_virtual_time
async def test_malformed_s2s_audio_is_mended_or_dropped() -> None:
    """Samples cut in two are put together; empty pieces, what is no audio, and far too much of it harm nobody."""
    async with call() as it:
        it.model.hears("balance")
        whole = Model()
        whole.speaks(BALANCE)
        pcm = b"".join(event.pcm for event in _events(whole) if event)
        it.model.notice("agent_text", text=BALANCE, final=True)
        for start in range(0, len(pcm), 777):
            it.model.notice("audio", pcm=pcm[start : start + 777])
            it.model.notice("audio")
        it.model.notice("audio", pcm="no audio")
        it.model.notice("audio", pcm=bytes(50_000_000))
        it.model.notice("audio", pcm=b"\x01")
        it.model.notice("turn_done")
        it.model.notice("turn_done")
        it.model.notice("something new")
        await it.until(5)
        assert it.gateway.played(1) == BALANCE
        assert it.log.history()[1] == (1, "agent", BALANCE)


@in_virtual_time
async def test_processors_hear_the_caller_first_and_the_model_last() -> None:
    """At the stages ``pre_s2s`` and ``post_s2s``, each at its rate."""
    seen: set[tuple[str, int]] = set()

    class Halver:
        name, order = "halver", 1

        async def process(self, audio: bytes, metadata: Mapping[str, Any]) -> bytes:
            seen.add((metadata["stage"], metadata["sample_rate"]))
            return bytes(len(audio))

    async with call(processors=[Halver()]) as it:
        it.pipeline.push(FRAME)
        it.model.hears("hi")
        it.model.speaks("hello")
        await it.until(1)
        assert it.model.heard == [bytes(len(FRAME))]
        assert it.gateway.sent(1) == ""
    assert seen == {("pre_s2s", 16_000), ("post_s2s", 16_000)}


@in_virtual_time
async def test_a_model_that_listens_too_slowly_loses_the_oldest_audio() -> None:
    """Six seconds wait, no more."""
    model = Model()
    may_hear = asyncio.Event()
    heard = model.push

    async def slowly(pcm: bytes) -> None:
        await may_hear.wait()
        await heard(pcm)

    model.push = slowly  # type: ignore[method-assign]
    async with call(model=model) as it:
        for number in range(400):
            it.pipeline.push(number.to_bytes(2, "little"))
        may_hear.set()
        await it.until(1)
        assert [int.from_bytes(pcm, "little") for pcm in model.heard] == list(range(100, 400))


def test_no_engine_is_a_mistake_in_the_config() -> None:
    """It is named."""
    parts: dict[str, Any] = {"link": None, "log": None, "processors": None, "conversation": Conversation()}
    with pytest.raises(InvalidConfig) as caught:
        S2sPipeline(engines=Engines(), agent=None, metadata={}, **parts)
    assert caught.value.details == {"field": "s2s_provider"}


def _events(model: Model) -> list[S2sEvent | None]:
    return [model._events.get_nowait() for _ in range(model._events.qsize())]


@in_virtual_time
async def test_the_model_is_told_of_keys() -> None:
    """In their order; one that it cannot be told of costs nothing else."""
    async with call() as it:
        for digit in "12E#":
            it.pipeline.dtmf(digit)
        await it.until(1)
        assert it.model.pressed == ["1", "2", "#"]
