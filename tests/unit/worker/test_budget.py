"""Whether work on audio keeps up with the audio."""

from __future__ import annotations

import pytest

from worker.budget import Budget


@pytest.mark.parametrize(("ms", "overruns"), [(9.9, 0), (10.1, 2), (200, 2)])
def test_the_average_over_a_second_of_audio_decides(ms: float, overruns: int) -> None:
    """More than 10 ms for 20 ms frames is too long, told once a second."""
    budget = Budget()
    assert sum(budget.spend(ms / 1000, audio_s=0.02) for _ in range(101)) == overruns


def test_one_slow_frame_is_no_overrun() -> None:
    """What matters is whether it keeps up."""
    budget = Budget()
    assert not any(budget.spend(0.2 if i == 7 else 0.001, audio_s=0.02) for i in range(200))


def test_a_long_piece_counts_by_its_length() -> None:
    """Half a second for five of speech is quick; three seconds is not."""
    assert not Budget().spend(0.5, audio_s=5.0)
    assert Budget().spend(3.0, audio_s=5.0)
