"""A loop whose clock jumps: waits take no time, always end, and never stand still."""

from __future__ import annotations

import asyncio
import time

import pytest

from voicebackend import virtual_time
from voicebackend.virtual_time import NothingHappens


def test_an_hour_passes_at_once() -> None:
    """To the second."""

    async def wait() -> float:
        await asyncio.sleep(3600)
        return asyncio.get_running_loop().time()

    started = time.monotonic()
    assert virtual_time.run(wait()) == pytest.approx(3600)
    assert time.monotonic() - started < 30


def test_who_waits_for_a_rounding_error_to_pass_is_not_stuck() -> None:
    """Real time moves on by itself; here only waiting moves it."""

    async def wait() -> int:
        clock, rounds = asyncio.get_running_loop().time, 0
        await asyncio.sleep(100.0)
        due = clock() + 1e-13
        assert due > clock()
        while clock() < due and rounds < 1000:
            await asyncio.sleep(due - clock())
            rounds += 1
        return rounds

    assert virtual_time.run(wait()) == 1


def test_work_in_threads_takes_no_virtual_time() -> None:
    """Nor does ending the threads."""

    async def work() -> float:
        await asyncio.to_thread(time.sleep, 0.05)
        return asyncio.get_running_loop().time()

    assert virtual_time.run(work()) == 0.0


def test_waiting_for_what_never_comes_is_an_error() -> None:
    """In real time it would be a hang."""

    async def wait() -> None:
        await asyncio.Event().wait()

    with pytest.raises(NothingHappens):
        virtual_time.run(wait())
