"""The tone that bridges a model's silence begins its answer, and is none of what it said."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest
from flaky import FlakyS2s, Kind, moments
from s2s_harness import call, in_virtual_time

from providers.failover.candidates import Candidates
from providers.failover.s2s import FailoverS2s
from providers.mock.tones import speak
from voicebackend import virtual_time
from voicebackend.interfaces import WordTime

BALANCE = "Your balance is twenty dollars today."
"""37 characters: 1.85 s."""
TONE = bytes(2 * 16_000)
"""A second of it, in which nothing can be read."""


@in_virtual_time
async def test_the_answer_follows_in_the_same_turn() -> None:
    """It is heard whole, and it alone is noted down."""
    async with call() as it:
        it.model.hears("balance")
        it.model.notice("hold_tone", pcm=TONE)
        await it.until(0.5)
        assert it.gateway.kinds("audio_start") == ["audio_start"]
        it.model.speaks(BALANCE)
        await it.until(4)
        assert it.gateway.played(1).strip() == BALANCE
        assert it.log.history() == [(1, "user", "balance"), (1, "agent", BALANCE)]
        assert it.gateway.kinds("audio_start", "audio_end") == ["audio_start", "audio_end"]


@in_virtual_time
async def test_who_interrupts_the_answer_heard_that_much_less_of_it() -> None:
    """The model is told what was played of its own; words that it times sound that much later."""
    async with call() as it:
        it.model.hears("balance")
        it.model.notice("hold_tone", pcm=TONE)
        words = [WordTime(word, at * 0.3, at * 0.3 + 0.25) for at, word in enumerate(BALANCE.split())]
        it.model.notice("agent_text", text=BALANCE, words=tuple(words))
        it.model.notice("audio", pcm=TONE * 2)
        await it.until(1.7)
        it.model.notice("speech_started")
        it.model.notice("user_text", text="no")
        await it.until(2.5)
        [played_ms] = it.model.interrupted
        assert 600 <= played_ms <= 800
        assert it.log.history()[1] == (1, "agent!", "Your balance")


@in_virtual_time
async def test_who_speaks_over_the_tone_interrupts_nothing() -> None:
    """The model is not told, which would take it for what it said before; nothing is noted down."""
    async with call() as it:
        it.model.hears("balance")
        it.model.notice("hold_tone", pcm=TONE)
        await it.until(0.5)
        it.model.notice("speech_started")
        it.model.notice("turn_done")
        it.model.notice("user_text", text="hello")
        await it.until(1.5)
        assert it.gateway.kinds("pause", "clear") == ["pause", "clear"]
        it.model.notice("user_text", text="hello, are you there", final=True)
        it.model.speaks("Yes.")
        await it.until(3)
        assert it.model.interrupted == []
        assert it.log.history() == [(1, "user", "balance"), (2, "user", "hello, are you there"), (2, "agent", "Yes.")]


WORDS, REPLY = "the number is four two", "the model says so"


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("kind", ["dead", "hang", "limit", None])
def test_whatever_the_model_does_each_turn_is_noted_and_answered_once(kind: Kind | None, seed: int) -> None:
    """Models that die, hang or refuse at any moment, and are well again at another; with the tone in between."""

    async def main() -> None:
        script: dict[str, Any] = {
            "transcripts": [WORDS],
            "replies": [REPLY],
            "seconds_per_character": 0.03,
            "delay": 0.2,
        }
        first, second = FlakyS2s("first", **script), FlakyS2s("second", **script)
        engine, chance = FailoverS2s(Candidates([first, second]), timeout_s=4.0, hold_tone=True), moments(seed)
        async with call(model=cast("Any", engine)) as it:
            at, trouble, loop = chance.uniform(0.0, 1.8), first.trouble, asyncio.get_running_loop()
            loop.call_later(at, trouble.kill if kind is None else lambda: trouble.order(kind))
            loop.call_later(at + chance.uniform(0.3, 3.0), lambda: trouble.order(None))
            pcm = speak(WORDS, 16_000, 0.03) + bytes(2 * 16_000 * 7)
            for start in range(0, len(pcm), 640):
                it.pipeline.push(pcm[start : start + 640])
                await asyncio.sleep(0.02)
            assert [(role, text) for _, role, text in it.log.history()] == [("user", WORDS), ("agent", REPLY)]
            if kind == "hang" and at < 0.5:
                assert len(it.gateway.kinds("audio_start")) == 2, "the tone, and the answer"

    virtual_time.run(main())
