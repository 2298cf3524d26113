"""The background loop: one per process, bounded in time, and honest when something blocks it."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Iterator
from contextvars import ContextVar

import pytest

from control import loop
from voicebackend.errors import OperationTimeout

REQUEST: ContextVar[str] = ContextVar("REQUEST", default="")


@pytest.fixture(autouse=True)
def closed_loop() -> Iterator[None]:
    """End the loop that a test started."""
    yield
    loop.close()


async def name_of_thread() -> str:
    return threading.current_thread().name


def test_coroutines_of_all_threads_run_on_one_loop() -> None:
    """Clients and locks are shared, so it must be one."""
    loops: list[asyncio.AbstractEventLoop] = []

    async def where() -> None:
        loops.append(asyncio.get_running_loop())

    threads = [threading.Thread(target=lambda: loop.run(where(), 5)) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert len(loops) == 5
    assert len(set(map(id, loops))) == 1


def test_results_errors_and_context_come_through() -> None:
    """As if it had been awaited, the trace included."""
    REQUEST.set("r1")

    async def ask() -> str:
        return REQUEST.get()

    async def fail() -> None:
        raise LookupError

    assert loop.run(ask(), 5) == "r1"
    with pytest.raises(LookupError):
        loop.run(fail(), 5)


def test_what_takes_too_long_is_cancelled() -> None:
    """It ends before the error is raised."""
    ended = threading.Event()

    async def slow() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            ended.set()

    with pytest.raises(OperationTimeout):
        loop.run(slow(), 0.05)
    assert ended.wait(5)


def test_a_timeout_of_the_coroutines_own_is_not_taken_for_ours() -> None:
    """Only our deadline is ours."""

    async def own() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        loop.run(own(), 5)


def test_a_blocked_loop_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An agent that sleeps instead of awaiting stops everyone, so it is named."""
    monkeypatch.setattr(loop, "STUCK_S", 0.1)
    release = threading.Event()

    async def blocks() -> None:
        release.wait(5)

    with pytest.raises(loop.LoopStuck, match="must await"):
        loop.run(blocks(), 0.05)
    release.set()
    monkeypatch.undo()


def test_waiting_for_the_loop_on_the_loop_is_refused() -> None:
    """It would wait for ever."""

    async def inner() -> None: ...

    async def outer() -> None:
        loop.run(inner(), 1)

    with pytest.raises(RuntimeError, match="itself"):
        loop.run(outer(), 5)


def test_after_closing_the_next_run_starts_a_new_loop() -> None:
    """Tests and embedding processes close what they used."""
    assert loop.run(name_of_thread(), 5) == "tasks-loop"
    loop.close()
    assert "tasks-loop" not in {thread.name for thread in threading.enumerate()}
    assert loop.run(name_of_thread(), 5) == "tasks-loop"


@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_starts_a_loop_of_its_own() -> None:
    """The parent's thread does not come along."""
    loop.run(name_of_thread(), 5)
    child = os.fork()
    if child == 0:
        os._exit(0 if loop.run(name_of_thread(), 5) == "tasks-loop" else 1)
    deadline = time.monotonic() + 10
    while (done := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert done == (child, 0)


def test_many_calls_wait_in_threads_at_once() -> None:
    """Those of async agents wait for callers: few threads would let callers wait for each other."""
    together = threading.Barrier(64)

    async def all_wait() -> None:
        await asyncio.gather(*(asyncio.to_thread(together.wait, 20) for _ in range(64)))

    loop.run(all_wait(), 30)
    assert not together.broken
