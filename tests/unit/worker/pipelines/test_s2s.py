"""A speech-to-speech model that answers by itself: who speaks when, and what is remembered of it."""

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
async def test_the_caller_is_heard_and_answered() -> None:
    """One turn, both texts in the log, the model's whole answer played."""
    async with call() as it:
        it.pipeline.push(FRAME)
        it.model.hears("what is my balance")
        it.model.speaks(BALANCE)
        await it.until(3)
        assert it.model.heard == [FRAME]
        assert it.gateway.played(1) == BALANCE
        assert it.log.history() == [(1, "user", "what is my balance"), (1, "agent", BALANCE)]
        assert it.gateway.kinds("audio_start", "turn", "audio_end", "clear") == ["audio_start", "turn", "audio_end"]
        assert [e["state"] for e in it.gateway.events if e["type"] == "state"][-3:] == [
            "processing",
            "speaking",
            "listening",
        ]


@in_virtual_time
async def test_words_over_the_model_cut_it_to_what_was_heard() -> None:
    """Held at the first sound, dropped at the first word; model and log know the same milliseconds."""
    async with call() as it:
        it.model.hears("balance")
        it.model.speaks(BALANCE)
        await it.until(0.98)
        it.model.tell("speech_started")
        await it.until(1.2)
        assert it.gateway.kinds("pause", "resume", "clear") == ["pause"]
        it.model.tell("user_text", text="no")
        await it.until(1.3)
        assert it.gateway.kinds("pause", "resume", "clear") == ["pause", "clear"]
        assert it.log.history()[1] == (1, "agent!", "Your balance is")
        assert it.gateway.played(1).startswith("Your balance is ")
        [played_ms] = it.model.interrupted
        assert 900 <= played_ms <= 1000
        it.model.tell("user_text", text="no wait", final=True)
        it.model.speaks("Yes?")
        await it.until(3)
        assert it.log.history()[2:] == [(2, "user", "no wait"), (2, "agent", "Yes?")]


@in_virtual_time
async def test_a_backchannel_lets_the_model_go_on_where_it_stopped() -> None:
    """Nothing is lost, nothing said twice, and it is no turn."""
    async with call() as it:
        it.model.hears("balance")
        it.model.speaks(BALANCE, done=False)
        await it.until(1)
        it.model.tell("speech_started")
        await it.until(1.3)
        it.model.speaks(" Goodbye.")
        it.model.tell("user_text", text="mhm", final=True)
        await it.until(5)
        assert it.gateway.kinds("pause", "resume", "clear") == ["pause", "resume"]
        assert it.gateway.played(1) == BALANCE + " Goodbye."
        assert it.log.history() == [(1, "user", "balance"), (1, "agent", BALANCE + " Goodbye.")]
        assert it.model.interrupted == []


@in_virtual_time
async def test_a_sound_without_words_lets_the_model_go_on() -> None:
    """Even if the model never says that it was nothing."""
    async with call() as it:
        it.model.hears("balance")
        it.model.speaks(BALANCE)
        await it.until(1)
        it.model.tell("speech_started")
        it.model.tell("speech_stopped")
        await it.until(6)
        assert it.gateway.kinds("pause", "resume", "clear") == ["pause", "resume"]
        assert it.gateway.played(1) == BALANCE


@in_virtual_time
async def test_a_model_that_stops_by_itself_is_played_on_after_a_backchannel() -> None:
    """What it had made is heard to its end; nothing hangs."""
    async with call() as it:
        it.model.hears("balance")
        it.model.speaks(BALANCE[:24], done=False)
        await it.until(0.8)
        it.model.tell("speech_started")
        it.model.tell("turn_done")
        await it.until(1.2)
        it.model.tell("user_text", text="okay", final=True)
        await it.until(4)
        assert it.gateway.played(1) == BALANCE[:24]
        assert it.log.history()[1] == (1, "agent", BALANCE[:24].strip())
        assert it.gateway.events[-1]["type"] in {"state", "transcript"}


@in_virtual_time
async def test_a_model_that_answers_before_it_tells_the_words_is_followed() -> None:
    """Its new answer ends the old one, the words are logged with it when they come, and nobody is cut off by them."""
    async with call() as it:
        it.model.hears("balance")
        it.model.speaks(BALANCE)
        await it.until(1)
        it.model.tell("speech_started")
        it.model.tell("turn_done")
        it.model.tell("speech_stopped")
        await it.until(1.3)
        it.model.speaks("As you wish, then.")
        await it.until(1.6)
        it.model.tell("user_text", text="stop that please", final=True)
        await it.until(4)
        assert it.gateway.kinds("pause", "resume", "clear") == ["pause", "clear"]
        assert it.log.history()[1:] == [
            (1, "agent!", "Your balance is"),
            (2, "user", "stop that please"),
            (2, "agent", "As you wish, then."),
        ]
        assert it.gateway.played(2) == "As you wish, then."


@in_virtual_time
async def test_what_the_model_answers_to_a_backchannel_waits() -> None:
    """It is heard after what was under way."""
    async with call() as it:
        it.model.hears("balance")
        it.model.speaks(BALANCE)
        await it.until(1)
        it.model.hears("mhm")
        it.model.speaks("Fine.")
        await it.until(5)
        assert [it.gateway.played(1), it.gateway.played(2)] == [BALANCE, "Fine."]
        assert it.gateway.kinds("clear") == []


@in_virtual_time
async def test_nobody_interrupts_where_that_is_switched_off() -> None:
    """The words are logged when the answer is over, and answered then."""
    async with call(barge_in={"enabled": False}) as it:
        it.model.hears("balance")
        it.model.speaks(BALANCE)
        await it.until(1)
        it.model.hears("no wait")
        it.model.speaks("Yes?")
        await it.until(5)
        assert it.gateway.kinds("pause", "clear") == []
        assert it.log.history()[1:] == [(1, "agent", BALANCE), (2, "user", "no wait"), (2, "agent", "Yes?")]


@in_virtual_time
async def test_greeting_and_prompts_are_spoken_by_the_model() -> None:
    """And the call ends when nobody answers them."""
    async with call(greeting="Hello there.", away={"after": 2, "prompts": ["Still there?"], "goodbye": "Bye."}) as it:
        assert await it.pipeline.wait() == "away"
        assert it.model.said == ["Hello there.", "Still there?", "Bye."]
        assert [text for _, _, text in it.log.history()] == it.model.said


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
        it.model.tell("error")
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
        it.model.tell("agent_text", text=BALANCE, final=True)
        for start in range(0, len(pcm), 777):
            it.model.tell("audio", pcm=pcm[start : start + 777])
            it.model.tell("audio")
        it.model.tell("audio", pcm="no audio")
        it.model.tell("audio", pcm=bytes(50_000_000))
        it.model.tell("audio", pcm=b"\x01")
        it.model.tell("turn_done")
        it.model.tell("turn_done")
        it.model.tell("something new")
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
