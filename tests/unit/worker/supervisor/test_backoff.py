"""How long a dead child's place stays empty."""

from __future__ import annotations

import pytest

from worker.supervisor.backoff import MOST_S, SOUND_S, Backoff


def test_the_delay_doubles_to_a_bound() -> None:
    """From a tenth of a second to ten."""
    backoff, delays = Backoff(), []
    for _ in range(9):
        backoff = backoff.after(1.0)
        delays.append(backoff.delay_s(1.0))
    assert delays == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, MOST_S, MOST_S]


def test_no_number_of_deaths_is_too_many() -> None:
    """It never gives up, and never overflows."""
    assert Backoff(1_000_000).delay_s(1.0) == MOST_S


@pytest.mark.parametrize("jitter", [0.0, 0.5, 1.0])
def test_half_of_the_delay_is_chance(jitter: float) -> None:
    """Children of one cause do not come back together."""
    assert Backoff(4).delay_s(jitter) == pytest.approx(0.4 + 0.4 * jitter)


def test_a_child_that_lived_a_minute_is_started_again_at_once() -> None:
    """What it died of is no habit."""
    assert Backoff(7).after(SOUND_S) == Backoff(1)
