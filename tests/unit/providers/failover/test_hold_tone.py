"""The tone that a caller hears who waits for a model, and how it is told from the answer that comes behind it."""

from __future__ import annotations

import pytest

from providers.failover.exchange import Exchange
from providers.failover.hold_tone import AFTER_S, TONE_S, HoldTone
from voicebackend.audio import level_dbfs
from voicebackend.interfaces import S2sEvent

RATE = 16_000
SECOND = bytes(2 * RATE)


def exchange(*, answers: bool = True, sounds: bool = True) -> Exchange:
    """Return one whose caller hears the tone."""
    return Exchange((), answers=answers, sample_rate=RATE, timeout_s=4.0, sounds=sounds)


def said(text: str, *, silence_s: float = 0.5) -> S2sEvent:
    """Return that the caller's words are known."""
    return S2sEvent(kind="user_text", text=text, final=True, silence_s=silence_s)


def test_it_sounds_whenever_there_was_silence_for_long_enough() -> None:
    """It counts from the caller's last sound, and then from its own end."""
    going = exchange()
    going.take(S2sEvent(kind="speech_stopped", silence_s=0.5), 10.0)
    going.take(said("hello"), 11.0)
    assert going.hold_tone.due == pytest.approx(9.5 + AFTER_S)
    tone = going.sounded(9.5 + AFTER_S)
    assert (tone.kind, len(tone.pcm)) == ("hold_tone", 2 * round(TONE_S * RATE))
    assert -50 < level_dbfs(tone.pcm) < -25
    assert going.hold_tone.due == pytest.approx(9.5 + 2 * AFTER_S + TONE_S)
    going.take(S2sEvent(kind="audio", pcm=SECOND), 12.0)
    assert going.hold_tone.due is None


@pytest.mark.parametrize(("answers", "sounds"), [(False, True), (True, False)])
def test_it_never_sounds_where_it_is_not_wanted(answers: bool, sounds: bool) -> None:
    """Nor while an agent of ours thinks: that has fillers, which are words."""
    going = exchange(answers=answers, sounds=sounds)
    going.take(S2sEvent(kind="speech_stopped"), 0.0)
    going.take(said("hello"), 0.0)
    going.typed("hello", 0.0)
    assert going.hold_tone.due is None


@pytest.mark.parametrize("event", [S2sEvent(kind="speech_started"), S2sEvent(kind="user_text", final=True)])
def test_it_ends_with_the_wait(event: S2sEvent) -> None:
    """The caller goes on, or had said nothing."""
    going = exchange()
    going.take(S2sEvent(kind="speech_stopped"), 0.0)
    going.sounded(1.2)
    going.take(event, 1.5)
    assert [going.tone_ended(), going.tone_ended()] == [True, False]
    assert going.hold_tone.due is None


def test_it_goes_on_over_another_model() -> None:
    """Who waits does not wait anew."""
    going = exchange()
    going.take(said("hello"), 0.5)
    going.sounded(1.2)
    told, _ = going.left(2.0)
    assert told == []
    going.begins(RATE, 2.0, by_text=False)
    assert going.hold_tone.due == pytest.approx(1.2 + TONE_S + AFTER_S)


def test_a_tone_that_was_not_wanted_is_not_due() -> None:
    """As where there is no other model to go to."""
    tone = HoldTone(RATE, wanted=False)
    tone.waits(0.0)
    assert tone.due is None
    assert not tone.over()
