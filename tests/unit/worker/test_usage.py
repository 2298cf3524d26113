"""What a session used is counted once, whichever workers ran it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from conversation_harness import in_virtual_time
from takeover_harness import Call, calling

from worker.pipelines.meter import Meter

LONG = "This is a rather long answer that goes on for a while. There is more of it here. And this is its end."
SPOKEN = len(LONG) - 2
"""Characters of its clauses: without the spaces between them."""
QUESTION = "what about the weather"
MOMENTS = (0.3, 1.0, 2.0, 3.0, 4.5, 6.0)
"""Seconds after the question at which its worker is killed."""


def usage(call: Call) -> dict[str, Any]:
    """Return what the log was told last."""
    return dict([entry["usage"] for _, entry in call.store.entries if "usage" in entry][-1])


async def used(*killed_s: float) -> tuple[float, float]:
    """Return the seconds recognised and characters spoken of a call whose worker is killed at these moments."""
    async with calling((LONG,), seed=3) as call:
        await call.say(QUESTION)
        passed = 0.0
        for at in killed_s:
            await asyncio.sleep(at - passed)
            passed = at
            await call.take_over()
        await call.until_free()
        assert [text for _, text, _ in call.store.said("agent")] == [LONG]
        assert [entry["type"] for _, entry in call.store.entries].count("takeover") == len(killed_s)
        totals = usage(call)
    ((_, heard),) = totals["stt"].items()
    ((_, spoken),) = totals["tts"].items()
    return heard["seconds"], spoken["characters"]


@pytest.mark.parametrize("killed_s", [*((at,) for at in MOMENTS), (1.0, 3.0, 6.0)])
@in_virtual_time
async def test_a_takeover_counts_nothing_twice(killed_s: tuple[float, ...]) -> None:
    """As many characters were spoken as without one, and no more seconds recognised than a second about."""
    plain_s, plain = await used()
    heard_s, spoken = await used(*killed_s)
    assert (plain, spoken) == (SPOKEN, SPOKEN)
    assert abs(heard_s - plain_s) <= 1.0


@in_virtual_time
async def test_each_turn_tells_what_took_how_long_and_by_which_engines() -> None:
    """The log has the way to the agent's task and the engines beside the turn's latency."""
    async with calling(("Fine.",)) as call:
        await call.say(QUESTION)
        await call.until_free()
        (turn,) = [entry for _, entry in call.store.entries if entry["type"] == "turn"]
    assert turn["hop"] >= 0
    assert set(turn["engines"]) == {"stt", "tts"}
    assert turn["latency_ms"]["e2e"] > 0


@in_virtual_time
async def test_a_turns_latency_is_what_it_was_before_the_takeover() -> None:
    """The caller had heard the first of the answer by then."""
    found = []
    for killed in (False, True):
        async with calling((LONG,), seed=3) as call:
            await call.say(QUESTION)
            await asyncio.sleep(3)
            if killed:
                await call.take_over()
            await call.until_free()
            found.append([entry["latency_ms"] for _, entry in call.store.entries if entry["type"] == "turn"])
    (plain,), (taken_over,) = found
    assert {stage: round(ms) for stage, ms in plain.items()} == {stage: round(ms) for stage, ms in taken_over.items()}


def test_counts_go_on_from_the_highest_that_was_told() -> None:
    """A checkpoint may be older than the log, or the log than the checkpoint."""
    meter = Meter()
    meter.add("stt", "one", "seconds", 1.5)
    meter.catch_up({"stt": {"one": {"seconds": 1.0}, "two": {"seconds": 4.0}}, "s2s": {"m": {"input_tokens": 7}}})
    meter.add("stt", "two", "seconds", 0.25)
    assert meter.totals == {
        "stt": {"one": {"seconds": 1.5}, "two": {"seconds": 4.25}},
        "s2s": {"m": {"input_tokens": 7}},
    }
