"""A speech-to-speech model that answers by itself: who speaks when, and what is remembered of it."""

from __future__ import annotations

from s2s_harness import FRAME, call, in_virtual_time

from providers.mock.tones import speak

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
    """Held at the first sound, dropped once there are words; model and log know the same milliseconds."""
    async with call() as it:
        it.model.hears("balance")
        it.model.speaks(BALANCE)
        await it.until(0.98)
        it.model.notice("speech_started")
        await it.until(1.2)
        assert it.gateway.kinds("pause", "resume", "clear") == ["pause"]
        it.model.notice("user_text", text="no")
        await it.until(1.45)
        assert it.gateway.kinds("pause", "resume", "clear") == ["pause", "clear"]
        assert it.log.history()[1] == (1, "agent!", "Your balance is")
        assert it.gateway.played(1).startswith("Your balance is ")
        [played_ms] = it.model.interrupted
        assert 900 <= played_ms <= 1000
        it.model.notice("user_text", text="no wait", final=True)
        it.model.speaks("Yes?")
        await it.until(3)
        assert it.log.history()[2:] == [(2, "user", "no wait"), (2, "agent", "Yes?")]


@in_virtual_time
async def test_words_that_a_model_tells_only_after_it_was_cut_off_are_noted() -> None:
    """As heard of the turn that was cut off, before the caller's; sound alone has stopped it."""
    async with call(barge_in={"max_hold": 0.4}) as it:
        it.model.hears("balance")
        it.model.notice("audio", pcm=speak(BALANCE, 16_000, 0.05))
        await it.until(0.98)
        it.model.notice("speech_started")
        await it.until(1.6)
        assert it.gateway.kinds("pause", "resume", "clear") == ["pause", "clear"]
        assert it.log.history() == [(1, "user", "balance")]
        it.model.notice("agent_heard", text="Your balance is")
        it.model.notice("agent_heard", text=" ")
        it.model.notice("speech_stopped")
        it.model.notice("user_text", text="no wait", final=True)
        it.model.speaks("Yes?")
        await it.until(3)
        assert it.log.history()[1:] == [
            (1, "agent!", "Your balance is"),
            (2, "user", "no wait"),
            (2, "agent", "Yes?"),
        ]
        told = [e["turn"] for e in it.gateway.events if e["type"] == "transcript" and e["text"] == "Your balance is"]
        assert told == [1]


@in_virtual_time
async def test_a_backchannel_lets_the_model_go_on_where_it_stopped() -> None:
    """Nothing is lost, nothing said twice, and it is no turn."""
    async with call() as it:
        it.model.hears("balance")
        it.model.speaks(BALANCE, done=False)
        await it.until(1)
        it.model.notice("speech_started")
        await it.until(1.3)
        it.model.speaks(" Goodbye.")
        it.model.notice("user_text", text="mhm", final=True)
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
        it.model.notice("speech_started")
        it.model.notice("speech_stopped")
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
        it.model.notice("speech_started")
        it.model.notice("turn_done")
        await it.until(1.2)
        it.model.notice("user_text", text="okay", final=True)
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
        it.model.notice("speech_started")
        it.model.notice("turn_done")
        it.model.notice("speech_stopped")
        await it.until(1.3)
        it.model.speaks("As you wish, then.")
        await it.until(1.6)
        it.model.notice("user_text", text="stop that please", final=True)
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
async def test_what_was_on_its_way_when_the_model_was_stopped_is_not_heard() -> None:
    """The next answer begins after the end of the one before."""
    async with call() as it:
        it.model.hears("balance")
        it.model.speaks(BALANCE, done=False)
        await it.until(1)
        it.model.notice("speech_started")
        it.model.notice("user_text", text="no wait")
        it.model.speaks(BALANCE, done=False)
        await it.until(1.5)
        it.model.notice("user_text", text="no wait", final=True)
        it.model.speaks("Yes?")
        await it.until(4)
        assert it.gateway.played(2) == "Yes?"
        assert it.log.history()[1:] == [(1, "agent!", "Your balance is"), (2, "user", "no wait"), (2, "agent", "Yes?")]


@in_virtual_time
async def test_what_the_model_hears_says_and_bills_is_counted() -> None:
    """Seconds both ways, and tokens as the vendor tells them, from one answer to the next."""
    async with call() as it:
        for _ in range(50):
            it.pipeline.push(FRAME)
        it.model.hears("what is my balance")
        it.model.speaks(BALANCE)
        await it.until(3)
        it.model.notice("usage", usage={"input_tokens": 40.0})
        it.model.notice("usage", usage={"input_tokens": 2.0, "output_tokens": 5.0})
        await it.until(3.2)
        ((_, counts),) = it.pipeline._parts.mouth.meter.totals["s2s"].items()
        assert counts == {
            "seconds_in": round(50 * len(FRAME) / 32_000, 3),
            "seconds_out": 1.85,
            "input_tokens": 42.0,
            "output_tokens": 5.0,
        }
