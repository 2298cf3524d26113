"""Agent audio runs ahead of the caller's ear, but not further than allowed."""

from __future__ import annotations

import pytest

from worker.pipelines.pacing import AHEAD_S, Pacer


def test_audio_runs_ahead_and_no_further() -> None:
    """What may be ahead goes at once; then one frame per frame's time."""
    pacer, now = Pacer(), 100.0
    frames = 0
    while pacer.delay(now) == 0:
        pacer.sent(0.02, now)
        frames += 1
    assert AHEAD_S <= frames * 0.02 <= AHEAD_S + 0.021
    assert 0 < pacer.delay(now) <= 0.0201


def test_playout_begins_anew_after_a_gap() -> None:
    """A turn whose audio came late is not rushed to catch up."""
    pacer = Pacer()
    pacer.sent(0.02, 10.0)
    pacer.sent(0.02, 20.0)
    assert pacer.remaining(20.0) == pytest.approx(0.02)
    assert pacer.remaining(21.0) == 0.0
    assert pacer.sent_s == 0.04
