"""What a supervisor holds of its children: the table, and when they are overdue."""

from __future__ import annotations

import itertools
import math

import pytest

from worker.supervisor.states import DUMP_S, SILENCE_S, START_S, TRANSITIONS, Action, Event, State, advance, deadline


def test_the_table_names_every_state() -> None:
    """No state is forgotten."""
    assert set(TRANSITIONS) == set(State)


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_an_event_that_the_table_does_not_name_changes_nothing(state: State, event: Event) -> None:
    """A late pulse of a child that is being killed is no news."""
    if event not in TRANSITIONS[state]:
        assert advance(state, event) == (state, Action.NONE)


@pytest.mark.parametrize("state", [state for state in State if state is not State.DEAD])
def test_whoever_exits_is_dead_and_its_lanes_are_free(state: State) -> None:
    """However it came to its end."""
    assert advance(state, Event.EXIT) == (State.DEAD, Action.FREE)


def test_a_stuck_child_writes_its_stacks_before_it_is_killed_and_again_if_it_will_not_die() -> None:
    """The dump tells where it hung; SIGKILL is repeated until it works."""
    state, first = advance(State.SERVING, Event.OVERDUE)
    state, second = advance(state, Event.OVERDUE)
    state, third = advance(state, Event.OVERDUE)
    assert (state, first, second, third) == (State.SILENT, Action.DUMP, Action.KILL, Action.KILL)


@pytest.mark.parametrize("event", [Event.LOADING, Event.READY, Event.DRAIN])
def test_there_is_no_way_back_from_silence(event: Event) -> None:
    """Its lanes are others' by then."""
    assert advance(State.SILENT, event) == (State.SILENT, Action.NONE)


def test_a_child_is_asked_to_drain_once() -> None:
    """A second request is no second signal."""
    assert advance(State.SERVING, Event.DRAIN) == (State.DRAINING, Action.DRAIN)
    assert advance(State.DRAINING, Event.DRAIN) == (State.DRAINING, Action.NONE)


def test_only_its_start_counts_while_it_loads() -> None:
    """Loading models may keep it from answering."""
    assert deadline(State.STARTING, entered=10, heard=10, drain_s=60) == 10 + START_S


def test_a_serving_child_is_due_when_its_pulse_is() -> None:
    """However long it serves."""
    assert deadline(State.SERVING, entered=10, heard=500, drain_s=60) == 500 + SILENCE_S


@pytest.mark.parametrize(("heard", "due"), [(20, 20 + SILENCE_S), (69, 70), (1, 10 + SILENCE_S)])
def test_a_draining_child_has_its_time_unless_it_falls_silent(heard: float, due: float) -> None:
    """A child that hangs while it drains is not waited for."""
    assert deadline(State.DRAINING, entered=10, heard=heard, drain_s=60) == due


def test_a_silent_child_has_the_time_of_its_dump_and_a_dead_one_all() -> None:
    """Nobody waits for the dead."""
    assert deadline(State.SILENT, entered=10, heard=1, drain_s=60) == 10 + DUMP_S
    assert math.isinf(deadline(State.DEAD, entered=10, heard=1, drain_s=60))
