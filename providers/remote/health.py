"""How the vendors that this process reaches are doing, from what came of the last tries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Protocol
from weakref import WeakSet

from voicebackend.breaker import BreakerState
from voicebackend.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    ConnectionTimeout,
    RateLimitExceeded,
    VoiceBackendError,
)
from voicebackend.session import Health

_H = Health
_BY_ERROR: Mapping[type[VoiceBackendError], Health] = {
    AuthenticationFailed: _H.UNHEALTHY,
    RateLimitExceeded: _H.DEGRADED,
    ConnectionFailed: _H.DEGRADED,
    ConnectionTimeout: _H.DEGRADED,
}
"""What errors tell of the vendor; others tell of us."""
_BY_BREAKER: Mapping[BreakerState, Health] = {
    BreakerState.OPEN: _H.UNHEALTHY,
    BreakerState.HALF_OPEN: _H.DEGRADED,
    BreakerState.CLOSED: _H.HEALTHY,
}
_FROM_BEST = (_H.UNKNOWN, _H.HEALTHY, _H.DEGRADED, _H.UNHEALTHY)


class Watched(Protocol):
    """What is kept an eye on."""

    name: str

    @property
    def health(self) -> Health:
        """How its vendor is doing."""
        ...


_watched: WeakSet[Watched] = WeakSet()


def watch(api: Watched) -> None:
    """Keep an eye on it for as long as it lives."""
    _watched.add(api)


def observed() -> dict[str, Health]:
    """Return the health of each vendor that this process has tried to reach, by name."""
    found: dict[str, Health] = {}
    for api in list(_watched):
        found[api.name] = worst((api.health, found.get(api.name, Health.UNKNOWN)))
    return {name: health for name, health in found.items() if health is not Health.UNKNOWN}


def told_by(error: VoiceBackendError) -> Health:
    """Return what a try that failed tells of the vendor."""
    return _BY_ERROR.get(type(error), Health.HEALTHY)


def judged(breaker: BreakerState, last_try: Health) -> Health:
    """Return the health of a vendor; unknown before it was tried."""
    return last_try if last_try is Health.UNKNOWN else worst((_BY_BREAKER[breaker], last_try))


def worst(found: Iterable[Health]) -> Health:
    """Return the worst; what is unknown counts for nothing beside what is known."""
    return max(found, key=_FROM_BEST.index, default=Health.UNKNOWN)
