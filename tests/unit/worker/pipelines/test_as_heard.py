"""When what was said was heard, and what never was: as the log is told, measured at a phone that really plays."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest
import takeover_harness
from conversation_harness import FRAME_S, Call, calling, in_virtual_time
from scripted_engines import COUGH

LONG = "The first sentence is here. The second one comes after it. And the third is the last one."
NEAR_MS = 150
"""How far a time may be off: a frame or two at each end, and what a word's end is reckoned by."""


def agent_entry(entries: list[dict[str, Any]], turn: int = 1) -> dict[str, Any]:
    """Return what the log was told of the agent's words in a turn."""
    (found,) = [
        entry
        for entry in entries
        if entry["type"] == "transcript" and entry["role"] == "agent" and entry["turn"] == turn
    ]
    return found


async def progress(call: Call, moments: list[tuple[int, str]]) -> None:
    """Note at each frame's end what was heard of the first turn by then."""
    while True:
        moments.append((round(asyncio.get_running_loop().time() * 1000), call.phone.heard(1)))
        await asyncio.sleep(FRAME_S)


def heard_by(moments: list[tuple[int, str]], text: str) -> int:
    """Return when a text had been heard."""
    return next(at for at, heard in moments if text.replace(". ", ".") in heard)


@in_virtual_time
async def test_each_clause_has_the_times_at_which_it_was_heard_also_after_a_pause() -> None:
    """A cough has the agent stand still for a while: what comes after it is heard as much later."""
    moments: list[tuple[int, str]] = []
    async with calling((LONG,)) as call:
        watching = asyncio.create_task(progress(call, moments))
        began = round(asyncio.get_running_loop().time() * 1000)
        said = await call.say("hello")
        await call.until(lambda: "second" in call.phone.heard(1))
        await call.say(chr(COUGH) * 6)
        await call.until_free()
        watching.cancel()
        assert call.of("pause")
        (user,) = [entry for entry in call.log.entries if entry["type"] == "transcript" and entry["role"] == "user"]
        entry = agent_entry(call.log.entries)
    assert began <= user["from"] <= began + NEAR_MS
    assert abs(user["to"] - said * 1000) <= NEAR_MS
    assert [clause["text"] for clause in entry["spoken"]] == ["The first sentence is here.", *entry_rest()]
    for clause in entry["spoken"]:
        assert abs(clause["to"] - heard_by(moments, clause["text"])) <= NEAR_MS
        assert clause["from"] < clause["to"]


def entry_rest() -> list[str]:
    """Return the clauses after the first."""
    return ["The second one comes after it.", "And the third is the last one."]


@in_virtual_time
async def test_what_the_caller_cut_off_is_told_as_unheard() -> None:
    """Heard and unheard together are what the agent wrote; the cut is when the agent fell silent."""
    async with calling((LONG,), ("All right.",)) as call:
        await call.say("hello")
        await call.until(lambda: "The second" in call.phone.heard(1))
        await call.say("no stop it please")
        await call.until_free()
        entry = agent_entry(call.log.entries)
        stopped = next(at for at, kind in call.phone.stopped if kind == "pause") if call.of("pause") else None
    assert f"{entry['text']} {entry['unheard']}" == LONG
    assert entry["spoken"][-1]["to"] <= entry["cut"] + NEAR_MS
    assert stopped is None or abs(entry["cut"] - stopped * 1000) <= NEAR_MS


@in_virtual_time
async def test_an_answer_of_which_no_word_was_heard_is_told_as_unheard() -> None:
    """It has no transcript; what it would have said is there."""
    word = "Donaudampfschifffahrtsgesellschaftskapitaen."
    async with calling((word,), ("All right.",)) as call:
        await call.say("hello")
        await call.until(lambda: call.of("audio_start"))
        call.begin("no stop it please")
        await call.until_free()
        (unheard,) = [entry for entry in call.log.entries if entry["type"] == "unheard"]
        assert not [entry for entry in call.log.said("agent") if entry[0] == 1]
    assert (unheard["turn"], unheard["unheard"]) == (1, word)


@pytest.mark.parametrize("killed_s", [0.5, 1.0, 1.5, 2.0, 2.5])
@in_virtual_time
async def test_what_the_caller_said_has_its_times_also_where_another_worker_heard_it_again(killed_s: float) -> None:
    """It is heard again faster than it was said, and later."""
    async with takeover_harness.calling((LONG,)) as call:
        began = asyncio.get_running_loop().time() * 1000
        saying = asyncio.create_task(call.say("one two three four five six"))
        await asyncio.sleep(killed_s)
        await call.take_over()
        await saying
        await call.until_free()
        (user,) = [entry for _, entry in call.store.entries if entry.get("role") == "user"]
    assert abs(user["from"] - began) <= NEAR_MS
    assert abs(user["to"] - began - 1_620) <= NEAR_MS  # 27 characters, 60 ms each


@in_virtual_time
async def test_times_go_on_over_a_takeover() -> None:
    """Clauses that the dead worker had spoken keep their times; none overlaps the next."""
    async with takeover_harness.calling((LONG,)) as call:
        await call.say("what about the weather")
        await asyncio.sleep(3)
        killed = asyncio.get_running_loop().time() * 1000
        await call.take_over()
        await call.until_free()
        entry = agent_entry([entry for _, entry in call.store.entries])
        over = asyncio.get_running_loop().time() * 1000
    spoken = entry["spoken"]
    assert " ".join(clause["text"] for clause in spoken) == LONG
    assert spoken[0]["from"] < killed
    assert all(one["to"] <= two["from"] + NEAR_MS for one, two in pairwise(spoken))
    assert killed < spoken[-1]["to"] < over
