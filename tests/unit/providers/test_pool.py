"""The threads of an engine."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from providers.engines.pool import Pool, share_threads
from voicebackend.errors import InvalidFormat, PipelineError


@pytest.fixture
def pool() -> Iterator[Pool]:
    """Give a pool that is closed afterwards."""
    pool = Pool("test")
    yield pool
    pool.close()


async def test_work_runs_off_the_event_loop(pool: Pool) -> None:
    """In a thread with the engine's name."""
    name = await pool.submit("op", lambda: threading.current_thread().name)
    assert name.startswith("test")


async def test_foreign_errors_become_pipeline_errors(pool: Pool) -> None:
    """Ours pass as they are."""
    with pytest.raises(PipelineError) as caught:
        await pool.submit("op", int, "x")
    assert caught.value.details == {"cause": "ValueError"}
    with pytest.raises(InvalidFormat):
        await pool.submit("op", _raise, InvalidFormat("inside"))


def _raise(error: Exception) -> None:
    raise error


async def test_it_is_busy_while_half_its_threads_work(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other half is kept for what a caller waits for."""
    monkeypatch.setattr(pool, "_size", 4)
    go_on = threading.Event()
    first = pool.submit("op", go_on.wait, 5)
    assert not pool.busy
    second = pool.submit("op", go_on.wait, 5)
    assert pool.busy
    assert repr(pool) == "<Pool test: 2 jobs, 4 threads>"
    go_on.set()
    await asyncio.gather(first, second)
    assert not pool.busy


async def test_a_job_that_waits_can_be_cancelled(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is never started."""
    monkeypatch.setattr(pool, "_size", 1)
    go_on, started = threading.Event(), threading.Event()
    first = pool.submit("op", go_on.wait, 5)
    second = pool.submit("op", started.set)
    second.cancel()
    await asyncio.sleep(0)  # it reaches the queue with the loop's next turn
    go_on.set()
    await first
    await pool.submit("op", lambda: None)
    assert not started.is_set()


async def test_closing_lets_waiting_work_finish(pool: Pool) -> None:
    """And a later job starts new threads."""
    jobs = [pool.submit("op", int, str(number)) for number in range(20)]
    pool.close()
    pool.close()
    assert await asyncio.gather(*jobs) == list(range(20))
    assert await pool.submit("op", int, "7") == 7


def test_processes_that_share_a_machine_share_its_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pools made from then on take their part, one thread at least."""
    monkeypatch.setattr("providers.engines.pool._share", 8)
    share_threads(3)
    assert "3 threads" in repr(Pool("test"))
    share_threads(0)
    assert "1 threads" in repr(Pool("test"))
