"""An event loop whose clock jumps from event to event: an hour of conversation takes seconds, and is always the same.

Work in threads (models) takes no virtual time: while a job is under way the clock stands still. For tests and
scenarios only; sockets and subprocesses do not work in it.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

JOB_S = 60.0
"""Real seconds that a job in a thread may take before the conversation counts as stuck."""


TICK_S = 1e-6
"""No wait is shorter: what waits for a rounding error of time to pass would wait for ever."""


class NothingHappens(RuntimeError):
    """Everything waits and nothing is scheduled: in real time this would wait for ever."""


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Its ``time()`` starts at 0 and moves only when there is nothing to do until later."""

    def __init__(self) -> None:
        self._now = 0.0
        self._jobs = 0
        super().__init__(_Selector(self))

    def time(self) -> float:
        """Return virtual seconds."""
        return self._now

    def call_later(  # type: ignore[override]  # the stubs say no more with their TypeVarTuple
        self, delay: float, callback: Callable[..., object], *args: Any, **options: Any
    ) -> asyncio.TimerHandle:
        """Call this after a delay, which takes some time if it is not 0."""
        return super().call_later(max(delay, TICK_S) if delay > 0 else delay, callback, *args, **options)

    def run_in_executor(  # type: ignore[override]  # the stubs say no more with their TypeVarTuple
        self, executor: Any, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Run a function in a thread; the clock stands still until it is done."""
        future = super().run_in_executor(executor, func, *args)
        self._jobs += 1
        future.add_done_callback(self._job_done)
        return future

    async def shutdown_default_executor(self, *args: Any) -> None:
        """Wait for the threads to end; that takes no virtual time either."""
        self._jobs += 1
        try:
            await super().shutdown_default_executor(*args)
        finally:
            self._jobs -= 1

    def _job_done(self, _: asyncio.Future[Any]) -> None:
        self._jobs -= 1

    def pass_time(self, seconds: float | None) -> float:
        """Let this much time pass, if no job is under way; return the real seconds to wait for one."""
        if self._jobs:
            return JOB_S
        if seconds is None:
            raise NothingHappens("everything waits, and nothing is scheduled")
        self._now += max(0.0, seconds)
        return 0.0


class _Selector(selectors.DefaultSelector):
    """Waits by moving the loop's clock."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what the threads have finished, after the wait."""
        if timeout == 0:
            return super().select(0)
        return super().select(self._loop.pass_time(timeout))


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine from start to end in virtual time.

    Raises:
        NothingHappens: it waits for something that will never come.

    """
    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(main)
