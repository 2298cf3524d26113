"""Event streams: limited by tenant and in all, so that room is left for who waits for a session."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from control.sessions.log import MAX_FOLLOWERS
from control.sessions.stream_limit import MAX_STREAMS, MAX_TENANT_STREAMS, StreamLimit
from voicebackend.errors import RateLimitExceeded, SessionLimitExceeded


def test_one_tenant_cannot_take_the_room_of_others() -> None:
    """It is told when to ask again; another tenant still gets in."""
    limit = StreamLimit()
    with ExitStack() as stack:
        for _ in range(MAX_TENANT_STREAMS):
            stack.enter_context(limit.opened("acme"))
        with pytest.raises(RateLimitExceeded) as caught, limit.opened("acme"):
            pytest.fail("one too many")
        assert caught.value.retry_after
        with limit.opened("other"):
            assert repr(limit) == f"<StreamLimit [{MAX_TENANT_STREAMS + 1} open]>"
    with limit.opened("acme"):
        assert repr(limit) == "<StreamLimit [1 open]>"
    assert repr(limit) == "<StreamLimit [0 open]>"


def test_all_tenants_together_leave_room_for_waiting() -> None:
    """A quarter of what can be followed is kept free."""
    limit = StreamLimit()
    assert MAX_FOLLOWERS - MAX_STREAMS >= MAX_FOLLOWERS // 4
    with ExitStack() as stack:
        for number in range(MAX_STREAMS):
            stack.enter_context(limit.opened(f"tenant-{number // MAX_TENANT_STREAMS}"))
        with pytest.raises(SessionLimitExceeded) as caught, limit.opened("late"):
            pytest.fail("one too many")
        assert caught.value.retry_after
