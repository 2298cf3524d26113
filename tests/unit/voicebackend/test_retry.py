"""When to try again."""

from __future__ import annotations

import pytest

from voicebackend.errors import AgentError, ConnectionFailed, RateLimitExceeded
from voicebackend.retry import MAX_DELAY_S, RetryPolicy, retrying


@pytest.mark.parametrize(
    ("attempt", "delay"), [(1, 1.0), (2, 2.0), (3, 4.0), (4, None)], ids=["first", "second", "third", "given up"]
)
def test_delays_double_and_then_end(attempt: int, delay: float | None) -> None:
    """With full jitter at its longest."""
    assert RetryPolicy().delay_after(attempt, ConnectionFailed("op"), jitter=1.0) == delay


def test_jitter_reaches_down_to_nothing_and_delays_are_capped() -> None:
    """From 0 to the delay; never above 30 s."""
    policy = RetryPolicy(max_retries=10, delay_s=30)
    assert policy.delay_after(10, ConnectionFailed("op"), jitter=1.0) == MAX_DELAY_S
    assert policy.delay_after(1, ConnectionFailed("op"), jitter=0.0) == 0.0


def test_the_far_sides_wish_is_honoured() -> None:
    """Retry-After is the least delay, up to the cap."""
    asked = RateLimitExceeded("op", retry_after=5)
    assert RetryPolicy().delay_after(1, asked, jitter=0.0) == 5
    assert RetryPolicy().delay_after(1, RateLimitExceeded("op", retry_after=500), jitter=0.0) == MAX_DELAY_S


def test_what_cannot_succeed_is_not_tried_again() -> None:
    """Only retryable errors are."""
    assert RetryPolicy().delay_after(1, AgentError("op"), jitter=1.0) is None


async def test_a_call_that_fails_twice_succeeds_the_third_time() -> None:
    """And the caller sees only the result."""
    outcomes = [ConnectionFailed("op"), ConnectionFailed("op"), None]

    async def call() -> str:
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome
        return "done"

    assert await retrying(RetryPolicy(delay_s=0.001), call) == "done"
    assert outcomes == []


async def test_the_last_error_is_the_callers() -> None:
    """After the last retry."""
    calls = []

    async def call() -> None:
        calls.append(1)
        raise ConnectionFailed("op")

    with pytest.raises(ConnectionFailed):
        await retrying(RetryPolicy(max_retries=2, delay_s=0.001), call)
    assert len(calls) == 3
