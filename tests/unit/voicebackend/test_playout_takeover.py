"""Playout while the worker behind it is replaced: what is queued plays on, milliseconds go on counting, pauses end."""

from __future__ import annotations

import pytest

from voicebackend.events import Resume
from voicebackend.playout import ORPHAN_S, Playout
from voicebackend.turn_progress import Standing

RATE = 16_000
FRAME = b"\x01\x00" * 320  # 20 ms


def run(playout: Playout, start: float, end: float) -> list[bytes | str]:
    """Let time pass as the task that sends does; return what is sent."""
    sent: list[bytes | str] = []
    now = start
    while True:
        while (item := playout.due(now)) is not None:
            sent.append(item)
        wait = playout.wait_s(now)
        if wait is None or now + wait > end:
            playout.due(end)
            return sent
        now += max(wait, 0.0005)


def audio_ms(sent: list[bytes | str]) -> float:
    """Return how much audio was sent."""
    return sum(len(item) for item in sent if isinstance(item, bytes)) / len(FRAME) * 20


def test_before_any_audio_there_is_no_turn() -> None:
    """A new holder learns that nothing was said."""
    assert Playout(RATE).adopt(1.0) == Standing()


def test_a_new_holder_learns_what_came_and_what_was_played() -> None:
    """Of the latest turn; what is queued counts as received."""
    playout = Playout(RATE)
    playout.push_audio(3, FRAME * 10)
    run(playout, 0, 1)
    playout.push_audio(4, FRAME * 50)
    run(playout, 1, 1.5)
    assert playout.adopt(1.5) == Standing(turn=4, received_ms=1000, played_ms=500)


def test_what_is_queued_plays_on_and_what_comes_of_the_turn_is_appended() -> None:
    """Nothing is sent twice, nothing is lost, and the turn's milliseconds go on."""
    playout = Playout(RATE)
    playout.push_audio(4, FRAME * 50)
    sent = run(playout, 0, 0.5)
    playout.adopt(0.5)
    playout.push_audio(4, FRAME * 25)
    sent += run(playout, 0.5, 3)
    assert audio_ms(sent) == 1500
    assert playout.adopt(3) == Standing(turn=4, received_ms=1500, played_ms=1500)


def test_what_was_cleared_is_not_received_any_more() -> None:
    """A turn that was cut off stands where it was cut off."""
    playout = Playout(RATE)
    playout.push_audio(4, FRAME * 50)
    run(playout, 0, 0.4)
    playout.clear(4, "clear", 0.4)
    assert playout.adopt(0.5) == Standing(turn=4, received_ms=400, played_ms=400)


def test_a_pause_that_nobody_speaks_of_ends_by_itself() -> None:
    """The caller is told to play on, and the rest comes."""
    playout = Playout(RATE)
    playout.push_audio(4, FRAME * 50)
    sent = run(playout, 0, 0.4)
    playout.pause(4, "pause", 0.4)
    sent += run(playout, 0.4, 10)
    assert sent[-1] == "pause"
    assert playout.adopt(10) == Standing(turn=4, received_ms=1000, played_ms=400, paused=True)
    assert run(playout, 10, 10 + ORPHAN_S - 0.01) == []
    later = run(playout, 10 + ORPHAN_S - 0.01, 20)
    assert later[0] == Resume(turn=4).to_json()
    assert audio_ms(sent) + audio_ms(later) == 1000
    assert playout.adopt(20) == Standing(turn=4, received_ms=1000, played_ms=1000)


@pytest.mark.parametrize(("word", "held"), [("pause", True), ("resume", False), ("clear", False)])
def test_what_the_new_holder_says_of_a_pause_counts(word: str, held: bool) -> None:
    """It may hold on for as long as it likes, or end the pause: nothing happens by itself."""
    playout = Playout(RATE)
    playout.push_audio(4, FRAME * 50)
    run(playout, 0, 0.4)
    playout.pause(4, "pause", 0.4)
    playout.adopt(1)
    getattr(playout, word)(4, word, 2)
    sent = run(playout, 2, 30)
    assert [item for item in sent if isinstance(item, str)] == (["pause", "pause"] if held else ["pause", word])
    assert playout.adopt(30).paused is held


def test_a_caller_that_reads_no_messages_is_crowded_by_their_length_too() -> None:
    """However few they are."""
    playout = Playout(RATE)
    for _ in range(20):
        playout.push_text("x" * 50_000)
    assert not playout.is_crowded
    playout.push_text("x")
    assert playout.is_crowded
    while playout.due(0) is not None:
        pass
    assert not playout.is_crowded
