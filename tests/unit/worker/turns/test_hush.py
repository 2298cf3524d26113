"""That a voice has stopped, by level alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from worker.turns.hush import HUSH_S, Hush

FRAME_S = 0.02


def fires(levels: list[float], hush: Hush | None = None) -> list[int]:
    """Return the frames at which it says that the voice has stopped."""
    told = hush or Hush()
    return [at for at, level in enumerate(levels) if told.step(level, FRAME_S)]


@pytest.mark.parametrize("noise_db", [-90.0, -60.0, -45.0])
def test_it_tells_80_ms_after_the_voice_has_stopped(noise_db: float) -> None:
    """Once, in quiet and in noise that leaves only a few decibels."""
    before, voice, after = [noise_db] * 100, [-25.0] * 50, [noise_db] * 50
    hush = Hush()
    fires(before, hush)
    hush.reset()
    assert fires([*voice, *after], hush) == [50 + round(HUSH_S / FRAME_S) - 1]


def test_a_closure_between_sounds_is_no_hush() -> None:
    """A "t" shuts the mouth for 60 ms."""
    assert fires(([-25.0] * 10 + [-70.0] * 3) * 10) == []


def test_in_loud_noise_it_says_nothing() -> None:
    """Where the level does not fall, the detector decides alone."""
    hush = Hush()
    fires([-30.0] * 100, hush)
    hush.reset()
    assert fires([-25.0] * 50 + [-30.0] * 100, hush) == []


def test_it_knows_whether_the_voice_sounds() -> None:
    """At the first low frame it does not."""
    hush = Hush()
    fires([-25.0] * 50, hush)
    assert hush.loud
    fires([-70.0], hush)
    assert not hush.loud


@given(st.lists(st.floats(-120, 0), max_size=300))
def test_between_two_hints_there_is_sound(levels: list[float]) -> None:
    """It does not say twice what it has said."""
    hush = Hush()
    stopped = False
    for level in levels:
        told = hush.step(level, FRAME_S)
        assert not (told and stopped)
        stopped = (stopped or told) and not hush.loud
