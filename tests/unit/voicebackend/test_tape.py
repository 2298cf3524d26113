"""A call on tape: each sample at its time, on its channel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voicebackend.playout import Playout
from voicebackend.tape import RATE, Tape

FRAME = RATE // 50


def marked(number: int, samples: int = FRAME) -> bytes:
    """Return a frame whose samples are all this number."""
    return np.full(samples, number, "<i2").tobytes()


def channels(pcm: bytes) -> tuple[np.ndarray, np.ndarray]:
    """Return left and right."""
    both = np.frombuffer(pcm, "<i2").reshape(-1, 2)
    return both[:, 0], both[:, 1]


def test_the_caller_is_left_and_the_agent_right_each_at_its_time() -> None:
    """Silence elsewhere."""
    tape = Tape(100.0, RATE)
    for number in range(50):
        tape.caller(marked(number + 1), 101.0 + 0.02 * (number + 1))
    tape.agent(marked(7, RATE // 2), 101.5)
    left, right = channels(tape.cut(103.0, last=True))
    assert len(left) == len(right) == 3 * RATE
    assert not left[:RATE].any()
    assert [left[RATE + FRAME * number] for number in range(50)] == list(range(1, 51))
    assert not left[2 * RATE :].any()
    assert np.flatnonzero(right).tolist() == list(range(round(1.5 * RATE), 2 * RATE))


@given(st.lists(st.integers(1, 40), min_size=1, max_size=30))
@settings(max_examples=50, deadline=None)
def test_however_it_is_cut_it_is_the_same(cuts: list[int]) -> None:
    """Pieces put together are the whole."""
    whole, parts = Tape(0.0, RATE), Tape(0.0, RATE)
    for tape in (whole, parts):
        tape.agent(marked(9, RATE), 0.3)
    pieces, now = [], 0.0
    for number in range(60):
        now = 0.02 * (number + 1)
        for tape in (whole, parts):
            tape.caller(marked(number + 1), now)
        if number in cuts:
            pieces.append(parts.cut(now))
    pieces.append(parts.cut(now, last=True))
    assert b"".join(pieces) == whole.cut(now, last=True)


def test_packets_a_little_early_or_late_stay_together() -> None:
    """Jitter makes no gaps but one, of its mean."""
    tape = Tape(0.0, RATE)
    for number in range(100):
        tape.caller(marked(number + 1), 0.02 * (number + 1) + (0.03 if number % 3 else 0.0))
    left, _ = channels(tape.cut(2.1, last=True))
    said = left[left != 0]
    assert len(said) == 100 * FRAME
    span = np.flatnonzero(left)[-1] + 1 - np.flatnonzero(left)[0]
    assert span - 100 * FRAME <= 0.02 * RATE  # put right once, by what they are late on average


def test_a_caller_whose_clock_runs_wrong_stays_within_20_ms_over_ten_minutes() -> None:
    """By 200 parts in a million, with packets 30 ms early and late; every frame's samples tell its number."""
    tape, out, late = Tape(0.0, RATE), bytearray(), 0.0
    for number in range(30_000):
        true = 0.02 * (number + 1) * 1.0002
        late = (number * 7919 % 31) / 1000
        tape.caller(marked(number % 30_000 + 1), true + late)
        if number % 25 == 24:
            out += tape.cut(true)
    out += tape.cut(601.0, last=True)
    left, _ = channels(bytes(out))
    for number in range(500, 30_000, 500):
        (place,) = np.flatnonzero(left == number + 1)[:1]
        assert abs(place / RATE - 0.02 * number * 1.0002 - 0.015) < 0.02
    assert tape.dropped_s < 0.5


def test_a_burst_after_a_gap_is_put_where_it_was_said_as_far_as_that_is_not_cut_off() -> None:
    """What is too late is counted, and time goes on right behind it."""
    tape = Tape(0.0, RATE)
    first = tape.cut(3.0)
    for _ in range(150):
        tape.caller(marked(5), 3.0)
    tape.caller(marked(6), 3.02)
    left, _ = channels(first + tape.cut(3.1, last=True))
    assert tape.dropped_s > 1.0
    (place,) = np.flatnonzero(left == 6)[:1]
    assert abs(place / RATE - 3.0) < 0.6


def test_what_is_typed_is_not_heard() -> None:
    """The caller's channel is silent until the mask ends; the agent's is not."""
    tape = Tape(0.0, RATE)
    tape.mask(0.5)
    for number in range(50):
        tape.caller(marked(1), 0.02 * (number + 1))
    tape.agent(marked(2, RATE // 10), 0.2)
    left, right = channels(tape.cut(1.0, last=True))
    assert not left[: RATE // 2].any()
    assert left[RATE // 2 :].all()
    assert right.any()


@pytest.mark.parametrize("rate", [8000, 16_000, 24_000])
def test_the_agent_is_on_tape_when_the_playout_clock_says_it_was_heard_and_what_was_cleared_is_not(rate: int) -> None:
    """To 20 ms, over ten minutes of turns; a turn that is interrupted ends where it was cut."""
    tape = Tape(0.0, rate)
    playout = Playout(rate, tape=tape.agent)
    out = bytearray()
    frame = np.full(rate // 50, 1000, "<i2").tobytes()
    now, expected = 0.0, []
    for turn in range(1, 61):
        began = turn * 10.0
        while now < began:
            playout.due(now)
            now = round(now + 0.02, 6)
        for _ in range(150):  # 3 s
            playout.push_audio(turn, frame)
        end = began + (3.0 if turn % 2 else 1.3)
        while now < end - 1e-6:
            while playout.due(now) is not None:
                pass
            now = round(now + 0.02, 6)
        playout.clear(turn, "{}", now)
        expected.append((began, end))
        out += tape.cut(now)
    playout.due(now + 1)
    out += tape.cut(now + 1, last=True)
    _, right = channels(bytes(out))
    loud = np.flatnonzero(np.abs(right) > 500) / RATE
    for began, end in expected:
        mine = loud[(loud > began - 1) & (loud < end + 2)]
        assert abs(mine[0] - began) < 0.02
        assert abs(mine[-1] - end) < 0.025
