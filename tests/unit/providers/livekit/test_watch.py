"""When a connection counts as dead, in seconds."""

from __future__ import annotations

from providers.livekit.watch import DEAD_S, Watch


def test_a_connection_lives_as_long_as_packets_come() -> None:
    """Only that more have come counts, not how many."""
    watch = Watch(0.0)
    for second in range(60):
        watch.received(second, float(second))
        assert not watch.is_dead(second + 0.9)


def test_silence_of_the_line_is_death_after_four_seconds() -> None:
    """The SDK would say so after sixteen."""
    watch = Watch(0.0)
    watch.received(7, 1.0)
    for second in range(2, 5):
        watch.received(7, float(second))
        assert not watch.is_dead(float(second))
    assert watch.is_dead(1.0 + DEAD_S)
