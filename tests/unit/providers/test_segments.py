"""Where a long utterance is cut."""

from __future__ import annotations

import pytest
from voices import white_noise

from providers.engines.stt.segments import LONGEST_BYTES, quietest

S = 32_000
"""Bytes in a second."""


@pytest.mark.parametrize("pause_at", [0.5, 0.6, 0.75, 0.9])
def test_it_is_cut_in_the_pause(pause_at: float) -> None:
    """In the middle of 200 ms of silence, within 60 ms."""
    loud = white_noise(-20, 15)
    start = round(pause_at * len(loud) / 2) * 2
    pcm = loud[:start] + bytes(S // 5) + loud[start + S // 5 :]
    assert quietest(pcm) == pytest.approx(start + S // 10, abs=0.06 * S)


def test_it_is_never_cut_in_the_first_half() -> None:
    """Even if the only pause is there."""
    pcm = bytes(S) + white_noise(-20, 14)
    assert quietest(pcm) >= len(pcm) // 2


@pytest.mark.parametrize("size", [0, 2, 2000, LONGEST_BYTES])
def test_the_cut_is_a_whole_sample_inside(size: int) -> None:
    """Short audio is left whole, digital silence is cut anywhere."""
    end = quietest(bytes(size))
    assert end % 2 == 0
    assert 0 <= end <= size
    assert end > 0 or size == 0
