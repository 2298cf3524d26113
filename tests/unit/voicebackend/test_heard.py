"""Who says how much of a turn was heard: the device if it does, the playout clock if not, and each only once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import wraps

from voicebackend import virtual_time
from voicebackend.heard import OWN_WORD_S, HeardReports

Told = tuple[int, float, bool, bool]
"""Turn, milliseconds, estimated, final."""


def in_virtual_time(test: Callable[[HeardReports, list[Told]], Coroutine[None, None, None]]) -> Callable[[], None]:
    """Run a test in a loop whose clock jumps, with reports and what they told."""

    @wraps(test)
    def run() -> None:
        told: list[Told] = []

        def tell(turn: int, ms: float, *, estimated: bool, final: bool) -> None:
            told.append((turn, ms, estimated, final))

        virtual_time.run(test(HeardReports(tell), told))

    del run.__wrapped__  # pytest would take its arguments for fixtures
    return run


@in_virtual_time
async def test_the_clock_tells_for_a_device_that_does_not(reports: HeardReports, told: list[Told]) -> None:
    """At once, and finally where it stopped."""
    reports.reckoned(1, 200.0)
    reports.stopped(1, 350.0)
    assert told == [(1, 200.0, True, False), (1, 350.0, True, True)]


@in_virtual_time
async def test_a_device_that_tells_is_believed(reports: HeardReports, told: list[Told]) -> None:
    """The clock is not heard any more; what the device said before it stopped is not the last word."""
    reports.said(1, 100.0)
    reports.reckoned(1, 200.0)
    reports.stopped(1, 350.0)
    reports.said(1, 180.0)
    reports.said(1, 220.0, stopped=True)
    await asyncio.sleep(2 * OWN_WORD_S)
    assert told == [(1, 100.0, False, False), (1, 180.0, False, False), (1, 220.0, False, True)]


@in_virtual_time
async def test_a_device_that_does_not_answer_is_not_waited_for(reports: HeardReports, told: list[Told]) -> None:
    """Then its last word counts, or the clock."""
    reports.said(1, 100.0)
    reports.stopped(1, 350.0)
    await asyncio.sleep(OWN_WORD_S * 1.1)
    assert told[1:] == [(1, 350.0, True, True)]
    reports.stopped(1, 500.0)
    reports.said(1, 480.0)
    await asyncio.sleep(OWN_WORD_S * 1.1)
    assert told[2:] == [(1, 480.0, False, False), (1, 480.0, True, True)]


@in_virtual_time
async def test_a_turn_that_goes_on_has_no_last_word(reports: HeardReports, told: list[Told]) -> None:
    """Nor has one whose caller is gone."""
    reports.said(1, 100.0)
    reports.stopped(1, 350.0)
    reports.resumed(1)
    await asyncio.sleep(2 * OWN_WORD_S)
    reports.stopped(1, 350.0)
    reports.close()
    await asyncio.sleep(2 * OWN_WORD_S)
    assert told == [(1, 100.0, False, False)]
