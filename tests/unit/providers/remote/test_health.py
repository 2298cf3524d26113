"""How vendors are doing, as this process has found."""

from __future__ import annotations

import pytest

from providers.remote.health import judged, observed, told_by, watch, worst
from voicebackend.breaker import BreakerState
from voicebackend.errors import AuthenticationFailed, ConnectionFailed, InvalidConfig, RateLimitExceeded
from voicebackend.session import Health


class _Vendor:
    def __init__(self, name: str, health: Health) -> None:
        self.name, self.health = name, health


@pytest.mark.parametrize(
    ("breaker", "last_try", "health"),
    [
        (BreakerState.CLOSED, Health.UNKNOWN, Health.UNKNOWN),
        (BreakerState.CLOSED, Health.HEALTHY, Health.HEALTHY),
        (BreakerState.CLOSED, told_by(InvalidConfig("x")), Health.HEALTHY),
        (BreakerState.CLOSED, told_by(ConnectionFailed("x")), Health.DEGRADED),
        (BreakerState.CLOSED, told_by(RateLimitExceeded("x")), Health.DEGRADED),
        (BreakerState.CLOSED, told_by(AuthenticationFailed("x")), Health.UNHEALTHY),
        (BreakerState.HALF_OPEN, Health.HEALTHY, Health.DEGRADED),
        (BreakerState.OPEN, told_by(ConnectionFailed("x")), Health.UNHEALTHY),
    ],
)
def test_breaker_and_last_try_tell_the_health(breaker: BreakerState, last_try: Health, health: Health) -> None:
    """The worse of the two counts, once there was a try."""
    assert judged(breaker, last_try) is health


def test_a_vendor_is_as_well_as_the_worst_way_to_it() -> None:
    """Ways that were not tried say nothing, and vendors that were not are not listed."""
    vendors = [
        _Vendor("one", Health.HEALTHY),
        _Vendor("one", Health.DEGRADED),
        _Vendor("one", Health.UNKNOWN),
        _Vendor("two", Health.UNKNOWN),
    ]
    for vendor in vendors:
        watch(vendor)
    found = observed()
    assert found["one"] is Health.DEGRADED
    assert "two" not in found
    assert worst(()) is Health.UNKNOWN
