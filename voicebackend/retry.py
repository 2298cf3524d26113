"""When to try again: doubling delays with full jitter, as a decision that the caller acts on."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from voicebackend.errors import VoiceBackendError

MAX_DELAY_S = 30.0
"""Seconds that a delay never exceeds, unless its policy says less."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often and how long apart."""

    max_retries: int = 3
    """Tries after the first."""
    delay_s: float = 1.0
    """Seconds before the first retry; doubles each time."""
    max_delay_s: float = MAX_DELAY_S
    """Seconds that a delay never exceeds."""
    impatient: bool = False
    """Give up where the far side asks for a longer delay than that; else it is tried sooner than it asks."""

    def delay_after(self, attempt: int, error: VoiceBackendError, *, jitter: float) -> float | None:
        """Return the seconds to wait after the attempt (1 is the first) that failed, or None to give up.

        ``jitter`` is from 0 to 1. A Retry-After of the far side is honoured as the least delay.
        """
        if not error.retryable or attempt > self.max_retries:
            return None
        delay: float = min(self.max_delay_s, self.delay_s * 2.0 ** (attempt - 1)) * jitter
        if error.retry_after is not None:
            if self.impatient and error.retry_after > self.max_delay_s:
                return None
            return min(self.max_delay_s, max(delay, error.retry_after))
        return delay


def always(error: VoiceBackendError) -> bool:
    """Rule out no repetition."""
    del error
    return True


async def retrying(
    policy: RetryPolicy, call: Callable[[], Awaitable[T]], *, again: Callable[[VoiceBackendError], bool] = always
) -> T:
    """Return what the call returns, trying again as the policy says, unless ``again`` rules it out after an error."""
    attempt = 1
    while True:
        try:
            return await call()
        except VoiceBackendError as error:
            delay = policy.delay_after(attempt, error, jitter=random.random())  # noqa: S311 - jitter
            if delay is None or not again(error):
                raise
        await asyncio.sleep(delay)
        attempt += 1
