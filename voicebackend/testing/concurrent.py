"""Run one coroutine function many times at once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from voicebackend.errors import ErrorCode
from voicebackend.tracing import error_code


@dataclass(frozen=True, slots=True, kw_only=True)
class ConcurrentResult:
    """What became of all runs."""

    succeeded: int
    errors: Mapping[str, int] = field(default_factory=dict)
    """Failed runs by error code; ``timeout`` for those that time was up for."""
    seconds: float = 0.0
    """How long all of it took."""

    @property
    def failed(self) -> int:
        """Runs that failed."""
        return sum(self.errors.values())


class ConcurrentTestRunner:
    """``workers`` at once, each running the function ``iterations`` times, all within ``timeout`` seconds."""

    def __init__(self, workers: int, iterations: int, timeout: float) -> None:
        self._workers, self._iterations, self._timeout = workers, iterations, timeout

    async def run(self, fn: Callable[[], Awaitable[Any]]) -> ConcurrentResult:
        """Run the function; an error counts under its code and does not stop the others."""
        started, errors, succeeded = time.monotonic(), Counter[str](), 0

        async def work() -> None:
            nonlocal succeeded
            for _ in range(self._iterations):
                try:
                    await fn()
                except Exception as error:  # noqa: BLE001 - counted, whatever it is
                    errors[error_code(error)] += 1
                else:
                    succeeded += 1

        tasks = [asyncio.create_task(work(), name=f"worker {number}") for number in range(self._workers)]
        await asyncio.wait(tasks, timeout=self._timeout)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        missing = self._workers * self._iterations - succeeded - sum(errors.values())
        if missing:
            errors[str(ErrorCode.TIMEOUT)] += missing
        return ConcurrentResult(succeeded=succeeded, errors=dict(errors), seconds=time.monotonic() - started)
