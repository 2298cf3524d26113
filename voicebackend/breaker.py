"""Whether something that fails may be tried again: a circuit breaker, pure; ``now`` is in seconds of any clock."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class BreakerState(StrEnum):
    """What a breaker lets through."""

    CLOSED = "closed"
    """Everything."""
    OPEN = "open"
    """Nothing, until it has cooled down."""
    HALF_OPEN = "half_open"
    """A try: its outcome decides."""


class BreakerEvent(StrEnum):
    """What may change that."""

    SUCCEEDED = "succeeded"
    TRIPPED = "tripped"
    """It failed too often, or once when it was on trial."""
    COOLED = "cooled"


_S, _E = BreakerState, BreakerEvent
TRANSITIONS: Mapping[tuple[BreakerState, BreakerEvent], BreakerState] = {
    (_S.CLOSED, _E.TRIPPED): _S.OPEN,
    (_S.OPEN, _E.COOLED): _S.HALF_OPEN,
    (_S.HALF_OPEN, _E.SUCCEEDED): _S.CLOSED,
    (_S.HALF_OPEN, _E.TRIPPED): _S.OPEN,
}
"""What follows; an event that is not here changes nothing."""


class Breaker:
    """Counts failures in a row; too many of them, and what failed is left alone for a while."""

    def __init__(self, *, max_failures: int = 3, cool_down_s: float = 10.0) -> None:
        self._max_failures, self._cool_down_s = max_failures, cool_down_s
        self._state = BreakerState.CLOSED
        self._failures = 0
        self._opened = 0.0

    def __repr__(self) -> str:
        return f"<Breaker {self._state} [{self._failures} failures in a row]>"

    @property
    def state(self) -> BreakerState:
        """What it lets through."""
        return self._state

    def admits(self, now: float) -> bool:
        """Tell whether to try; when it has cooled down, the next outcome decides."""
        if self._state is BreakerState.OPEN and now - self._opened >= self._cool_down_s:
            self._take(BreakerEvent.COOLED)
        return self._state is not BreakerState.OPEN

    def succeeded(self) -> None:
        """A try went well: earlier failures are forgiven."""
        self._failures = 0
        self._take(BreakerEvent.SUCCEEDED)

    def failed(self, now: float) -> bool:
        """A try went wrong; tell whether that opened it."""
        self._failures += 1
        if self._state is BreakerState.HALF_OPEN or self._failures >= self._max_failures:
            return self.trip(now)
        return False

    def trip(self, now: float) -> bool:
        """Open at once, whatever went before; tell whether it was not open already."""
        before = self._state
        self._take(BreakerEvent.TRIPPED)
        if before is BreakerState.OPEN:
            return False
        self._failures, self._opened = 0, now
        return True

    def _take(self, event: BreakerEvent) -> None:
        self._state = TRANSITIONS.get((self._state, event), self._state)
