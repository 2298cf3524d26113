"""What is learned of a caller's pauses."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from worker.turns.habits import Habits


def test_a_long_pause_is_learned_faster_than_forgotten() -> None:
    """Being cut off is worse than waiting."""
    habits = Habits()
    habits.went_on(1.0)
    risen = habits.pause_s
    habits.went_on(0.0)
    assert 0.4 < risen < 0.6
    assert habits.pause_s > risen * 0.8
    assert repr(habits) == "<Habits [pauses 0.42 s]>"


@given(st.floats(0.1, 2))
def test_a_steady_caller_is_known_after_ten_pauses(pause_s: float) -> None:
    """Within a hundredth."""
    habits = Habits()
    for _ in range(10):
        habits.went_on(pause_s)
    assert abs(habits.pause_s - pause_s) < 0.01 * pause_s


@given(st.lists(st.floats(-1, 1e6), max_size=50))
def test_a_usual_pause_stays_in_its_range(pauses: list[float]) -> None:
    """From 0 to 3 s, whatever is reported."""
    habits = Habits()
    for pause in pauses:
        habits.went_on(pause)
        assert 0 <= habits.pause_s <= 3
