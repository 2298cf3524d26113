"""Agent audio that waits to be sent, and how much of each turn was."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from control.telephony.rtp.playout_queue import MAX_BYTES, PlayoutQueue
from voicebackend.events import Played

PATIENT = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The machine has other tests to run."""
FRAME = 160


def queue_with(*turns: tuple[int, int]) -> PlayoutQueue:
    """Return a queue with so many bytes of each turn."""
    queue = PlayoutQueue(b"\xff")
    for turn, size in turns:
        queue.begin(turn)
        queue.push(bytes([turn]) * size)
    return queue


def test_audio_leaves_in_order_and_silence_follows() -> None:
    """A turn that ends within 20 ms is followed by the next at once."""
    queue = queue_with((1, 200), (2, 100))
    assert queue.take(FRAME) == b"\1" * 160
    assert queue.take(FRAME) == b"\1" * 40 + b"\2" * 100 + b"\xff" * 20
    assert queue.take(FRAME) == b"\xff" * FRAME
    assert queue.is_empty


def test_a_turn_that_is_paused_stands_still_exactly_and_what_follows_waits() -> None:
    """It says where it stands, to the millisecond."""
    queue = queue_with((1, 1600), (2, 160))
    queue.take(FRAME)
    assert queue.pause(1) == Played(turn=1, ms=20.0, stopped=True)
    assert queue.take(FRAME) == b"\xff" * FRAME
    assert queue.is_empty
    queue.resume(1)
    assert queue.take(FRAME) == b"\1" * FRAME
    assert queue.clear(1) == Played(turn=1, ms=40.0, stopped=True)
    assert queue.take(FRAME) == b"\2" * FRAME


def test_a_turn_that_is_cleared_while_it_is_paused_holds_up_nobody() -> None:
    """As when a caller interrupts."""
    queue = queue_with((1, 1600))
    queue.pause(1)
    queue.clear(1)
    queue.begin(2)
    queue.push(b"\2" * FRAME)
    assert queue.take(FRAME) == b"\2" * FRAME


def test_turns_are_reported_every_200_ms_and_at_their_end() -> None:
    """Not more often: each report costs a message."""
    queue = queue_with((1, 8 * 500))
    reports = []
    for _ in range(30):
        queue.take(FRAME)
        reports += queue.reports()
    assert reports == [Played(turn=1, ms=200.0), Played(turn=1, ms=400.0), Played(turn=1, ms=500.0)]


def test_what_does_not_fit_is_dropped_and_counted() -> None:
    """Thirty seconds wait, no more."""
    queue = queue_with((1, MAX_BYTES), (1, 8))
    assert queue.dropped == 8


TURNS = st.lists(st.tuples(st.sampled_from(["push", "take", "pause", "resume", "clear"]), st.integers(1, 4)))


@PATIENT
@given(TURNS)
def test_what_is_reported_is_what_was_sent(steps: list[tuple[str, int]]) -> None:
    """Whatever happens in between, byte by byte."""
    queue, sent = PlayoutQueue(b"\xff"), dict.fromkeys(range(1, 5), 0)
    for step, turn in steps:
        match step:
            case "push":
                queue.begin(turn)
                queue.push(bytes([turn]) * 100)
            case "take":
                taken = queue.take(FRAME)
                assert len(taken) == FRAME
                for each in sent:
                    sent[each] += taken.count(each)
                for report in queue.reports():
                    assert report.ms == sent[report.turn] / 8
            case "pause":
                assert queue.pause(turn).ms == sent[turn] / 8
            case "resume":
                queue.resume(turn)
            case "clear":
                assert queue.clear(turn).ms == sent[turn] / 8
