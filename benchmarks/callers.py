"""A process that holds many callers, so that their CPU is counted apart from what is measured."""

from __future__ import annotations

import asyncio
import gc
import itertools
import random
from contextlib import AsyncExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import aiohttp

from benchmarks.caller import Caller, Tally
from benchmarks.line import Line, call
from benchmarks.processes import Window
from benchmarks.speech import quiet
from benchmarks.works import Work
from voicebackend.process import loop_factory

OPENING = 8
"""Sessions that are opened at once."""
SPREAD_S = 4.0
"""Seconds within which callers begin: they do not speak in step."""
GRACE_S = 20.0
"""Seconds that open turns have to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """What a process of callers is to do."""

    work: Work
    url: str
    api_key: str
    sessions: int
    seed: int


def hold(calls: Calls, pipe: Connection) -> None:
    """Open every call, say so, be told the window, talk, and answer with the tally."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        pipe.send(runner.run(_hold(calls, pipe)))


async def _hold(calls: Calls, pipe: Connection) -> Tally:
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)))
        limit = asyncio.Semaphore(OPENING)
        lines = await asyncio.gather(*(_open(stack, client, calls, number, limit) for number in range(calls.sessions)))
        gc.collect()
        gc.freeze()
        pipe.send("ready")
        window: Window = await asyncio.to_thread(pipe.recv)
        return await _talk(calls, lines, window)


async def _open(
    stack: AsyncExitStack, client: aiohttp.ClientSession, calls: Calls, number: int, limit: asyncio.Semaphore
) -> Line:
    body: dict[str, Any] = {"user_id": f"caller-{calls.seed}-{number}", "transport": "websocket"}
    if calls.work.agent:
        body["agent"] = calls.work.agent
    async with limit:
        return await stack.enter_async_context(call(client, calls.url, calls.api_key, body))


async def _talk(calls: Calls, lines: list[Line], window: Window) -> Tally:
    dice, sayings, silence = random.Random(calls.seed), calls.work.sayings, quiet()  # noqa: S311 - when callers begin
    callers = []
    for line in lines:
        begin = dice.randrange(len(sayings))
        mine = itertools.cycle([*sayings[begin:], *sayings[:begin]])
        callers.append(Caller(line, mine, silence, scripted_s=calls.work.scripted_s))
    talking = [
        asyncio.create_task(caller.talk(window.start + dice.uniform(0, SPREAD_S), window.until), name="caller")
        for caller in callers
    ]
    loop, tally = asyncio.get_running_loop(), Tally()
    for when, counting in ((window.count_from, True), (window.until, False)):
        await asyncio.sleep(max(0.0, when - loop.time()))
        for caller in callers:
            caller.count(counting)
    _, late = await asyncio.wait(talking, timeout=GRACE_S)
    for task in late:
        task.cancel()
    for task in talking:
        if task.done():
            task.result()
    for caller in callers:
        tally.add(caller.tally)
    return tally
