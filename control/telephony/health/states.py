"""What probes and calls make of a target: closed, open, half open. One table, pure; times are seconds of one clock."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

from voicebackend.breaker import TRANSITIONS, BreakerEvent, BreakerState

TRIAL_S = 30.0
"""Seconds after which a trial call of which nobody heard again makes room for another."""


class Seen(StrEnum):
    """What was seen of a target."""

    PROBED_WELL = "probed_well"
    PROBED_BADLY = "probed_badly"
    CALL_WENT_WELL = "call_went_well"
    CALL_FAILED = "call_failed"
    TRIAL_WENT_WELL = "trial_went_well"
    """The one call that a half-open target is given."""
    TRIAL_FAILED = "trial_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How soon a target is left out, and tried again."""

    every_s: float = 10.0
    """Seconds that it is left alone at least."""
    fail: int = 3
    """Calls in a row that must fail."""
    ok: int = 2
    """Probes in a row that must go well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetHealth:
    """How a target is doing; a new one takes calls until the contrary is known."""

    state: BreakerState = BreakerState.CLOSED
    since: float = 0.0
    """When it came to that."""
    why: str = ""
    """Of the last time that it was left out."""
    failed: int = 0
    """Calls in a row."""
    good: int = 0
    """Probes in a row, since it was left out."""
    probed: float = 0.0
    trial: str = ""
    """The session of its trial call."""
    trial_until: float = 0.0

    def takes_calls(self, now: float) -> bool:
        """Tell whether it may be given a call; half open, one at a time."""
        if self.state is BreakerState.HALF_OPEN:
            return not self.trial or now >= self.trial_until
        return self.state is BreakerState.CLOSED

    def on_trial(self, session: str, now: float) -> TargetHealth:
        """Return it with this session as its trial call."""
        return replace(self, trial=session, trial_until=now + TRIAL_S)


def _at_once(_health: TargetHealth, _patience: Patience, _now: float) -> bool:
    return True


def _often(health: TargetHealth, patience: Patience, _now: float) -> bool:
    return health.failed >= patience.fail


def _rested(health: TargetHealth, patience: Patience, now: float) -> bool:
    return health.good >= patience.ok and now - health.since >= patience.every_s


class Step(NamedTuple):
    """What follows something seen, once it is ``enough``."""

    event: BreakerEvent
    enough: Callable[[TargetHealth, Patience, float], bool]


_S, _E = BreakerState, BreakerEvent
STEPS: Mapping[tuple[BreakerState, Seen], Step] = {
    (_S.CLOSED, Seen.PROBED_BADLY): Step(_E.TRIPPED, _at_once),
    (_S.CLOSED, Seen.CALL_FAILED): Step(_E.TRIPPED, _often),
    (_S.OPEN, Seen.PROBED_WELL): Step(_E.COOLED, _rested),
    (_S.HALF_OPEN, Seen.PROBED_BADLY): Step(_E.TRIPPED, _at_once),
    (_S.HALF_OPEN, Seen.TRIAL_FAILED): Step(_E.TRIPPED, _at_once),
    (_S.HALF_OPEN, Seen.TRIAL_WENT_WELL): Step(_E.SUCCEEDED, _at_once),
}
"""What is not here changes no state."""


def after(health: TargetHealth, seen: Seen, patience: Patience, *, now: float, why: str = "") -> TargetHealth:
    """Return how a target is doing once this was seen; ``why`` says what went wrong."""
    health = _counted(health, seen)
    step = STEPS.get((health.state, seen))
    if step is None or not step.enough(health, patience, now):
        return health
    state = TRANSITIONS[health.state, step.event]
    told = why if step.event is _E.TRIPPED else health.why
    return TargetHealth(state=state, since=now, why=told, probed=health.probed)


def _counted(health: TargetHealth, seen: Seen) -> TargetHealth:
    """Return it with what is counted in rows: failed calls, good probes."""
    match seen:
        case Seen.CALL_FAILED:
            return replace(health, failed=health.failed + 1)
        case Seen.CALL_WENT_WELL:
            return replace(health, failed=0)
        case Seen.PROBED_WELL if health.state is BreakerState.OPEN:
            return replace(health, good=health.good + 1)
        case Seen.PROBED_BADLY:
            return replace(health, good=0)
        case _:
            return health
