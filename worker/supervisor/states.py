"""What the supervisor holds of a child, as a table: what it hears of it, what it then does. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

START_S = 120.0
"""Seconds that a child may take to load its models and lease its lanes."""
SILENCE_S = 5.0
"""Seconds without a pulse after which an event loop counts as stuck."""
DUMP_S = 0.5
"""Seconds that a stuck child has to write down where it stands, before it is killed."""


class State(StrEnum):
    """What a child is to its supervisor."""

    STARTING = "starting"
    SERVING = "serving"
    DRAINING = "draining"
    """It was asked to hand its sessions over and end."""
    SILENT = "silent"
    """It did not answer, or not end, in time: there is no way back from here."""
    DEAD = "dead"


class Event(StrEnum):
    """What happens to a child."""

    LOADING = "loading"
    """A pulse of one that does not hold lanes yet."""
    READY = "ready"
    """A pulse of one that does."""
    DRAIN = "drain"
    """It is no longer wanted."""
    OVERDUE = "overdue"
    """The time is up that its state allows: see :func:`deadline`."""
    EXIT = "exit"
    """The process has ended, however."""


class Action(StrEnum):
    """What the supervisor does about it."""

    NONE = "none"
    DRAIN = "drain"
    DUMP = "dump"
    """Have it write the stacks of all its threads to stderr."""
    KILL = "kill"
    FREE = "free"
    """Give its lanes free, for others to take over at once."""


TRANSITIONS: Mapping[State, Mapping[Event, tuple[State, Action]]] = {
    State.STARTING: {
        Event.READY: (State.SERVING, Action.NONE),
        Event.DRAIN: (State.DRAINING, Action.DRAIN),
        Event.OVERDUE: (State.SILENT, Action.DUMP),
        Event.EXIT: (State.DEAD, Action.FREE),
    },
    State.SERVING: {
        Event.DRAIN: (State.DRAINING, Action.DRAIN),
        Event.OVERDUE: (State.SILENT, Action.DUMP),
        Event.EXIT: (State.DEAD, Action.FREE),
    },
    State.DRAINING: {
        Event.OVERDUE: (State.SILENT, Action.DUMP),
        Event.EXIT: (State.DEAD, Action.FREE),
    },
    State.SILENT: {
        Event.OVERDUE: (State.SILENT, Action.KILL),
        Event.EXIT: (State.DEAD, Action.FREE),
    },
    State.DEAD: {},
}


def advance(state: State, event: Event) -> tuple[State, Action]:
    """Return the next state and what to do; an event that the table does not name changes nothing."""
    return TRANSITIONS[state].get(event, (state, Action.NONE))


def deadline(state: State, *, entered: float, heard: float, drain_s: float) -> float:
    """Return when a child is overdue, infinite for a dead one.

    ``entered`` is when it came into this state, ``heard`` when its last pulse came: seconds of one clock.
    """
    return {
        State.STARTING: entered + START_S,
        State.SERVING: heard + SILENCE_S,
        State.DRAINING: min(entered + drain_s, max(entered, heard) + SILENCE_S),
        State.SILENT: entered + DUMP_S,
        State.DEAD: float("inf"),
    }[state]
