"""How late an event loop wakes, and what follows for new sessions."""

from __future__ import annotations

import asyncio
import time

from worker.load import SAMPLE_S, WINDOW_S, Load, rss_mb

SAMPLES = round(WINDOW_S / SAMPLE_S)


def test_a_process_that_just_started_takes_sessions() -> None:
    """What is not measured yet counts as in time: loading models is no load."""
    load = Load()
    load.add(0.2)
    assert load.measure(idle=False).admitting


def test_one_late_wake_in_a_hundred_is_no_load() -> None:
    """The 95th percentile leaves it out."""
    load = Load()
    for number in range(SAMPLES):
        load.add(0.049 if number % 50 == 0 else 0.001)
    assert load.lag_ms == 1.0


def test_a_long_block_counts_as_all_the_wakes_that_it_left_out() -> None:
    """One sample of a second must not pass for one late wake."""
    load = Load()
    load.add(1.0)
    assert load.lag_ms > 300
    assert not load.measure(idle=False).admitting


def test_sessions_are_taken_again_only_well_below_where_that_ended() -> None:
    """Else it would flap."""
    load = Load()
    lags = (0.049, 0.045, 0.02, 0.08, 0.045, 0.031, 0.029, 0.045)
    seen = [_settled(load, lag_s).measure(idle=False).admitting for lag_s in lags]
    assert seen == [True, True, True, False, False, False, True, True]


def test_who_has_no_session_takes_one_on_the_busiest_machine() -> None:
    """What holds it up is not its own work; once it has one, it counts."""
    load = _settled(Load(), 0.08)
    assert load.measure(idle=True).admitting
    assert not load.measure(idle=False).admitting


def _settled(load: Load, lag_s: float) -> Load:
    for _ in range(SAMPLES):
        load.add(lag_s)
    return load


def test_cpu_is_what_was_used_since_the_last_look() -> None:
    """In cores."""
    load = Load()
    until = time.process_time() + 0.05
    while time.process_time() < until:
        pass
    assert load.measure(idle=False).cpu > 0
    assert rss_mb() > 1


async def test_an_event_loop_that_is_blocked_is_seen() -> None:
    """By the sampler that runs in it."""
    load = Load()
    sampling = asyncio.create_task(load.run(), name="load")
    await asyncio.sleep(0)
    time.sleep(0.8)  # noqa: ASYNC251 - what is tested
    await asyncio.sleep(SAMPLE_S)  # its wake was due before this one
    sampling.cancel()
    await asyncio.gather(sampling, return_exceptions=True)
    assert load.lag_ms > 50
