"""Where another framework's sessions are held: the same callers, and the same script for what is not the framework's.

Runs in the framework's own environment, which has numpy and aiohttp but nothing of ours.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import random
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict

from benchmarks.caller import Caller, Tally
from benchmarks.phone import Phone
from benchmarks.speech import quiet, recordings

IN_HZ, OUT_HZ, VOICE_HZ = 16_000, 16_000, 24_000
TRANSCRIPT = "Can you tell me the balance of my account?"
ANSWER = "Your parcel is on its way and arrives here tomorrow."
STT_S, AGENT_S, TTS_S = 0.1, 0.1, 0.08
SPEECH_S, PIECE_S, SPEED = 2.0, 0.1, 5
"""Seconds of speech in an answer, in one of its pieces, and how many times faster than real time they come."""
END_OF_TURN_S = 0.2
"""Silence after which the framework's own detector says that a turn is over: no model is asked."""
SPREAD_S, WARM_UP_S, GRACE_S = 4.0, 6.0, 20.0
_PIECE = b"\x10\x10\xf0\xef" * round(VOICE_HZ * PIECE_S / 2)

Push = Callable[[bytes], Awaitable[None]]
Close = Callable[[], Awaitable[None]]


class PeerLine:
    """A call to the framework: ``push`` is where the caller's audio goes."""

    def __init__(self) -> None:
        self.phone = Phone()
        self.latencies: list[dict[str, float]] = []
        self.push: Push

    async def send(self, pcm: bytes) -> None:
        """Send a frame of the caller's."""
        await self.push(pcm)

    def hear(self, seconds: float) -> None:
        """Agent audio left the framework."""
        self.phone.hear(seconds, time.monotonic())

    def cut(self) -> None:
        """The framework told the phone to drop what it holds."""
        self.phone.clear(time.monotonic())


async def transcript() -> str:
    """Return what was said, a while after the framework asked."""
    await asyncio.sleep(STT_S)
    return TRANSCRIPT


async def answer() -> str:
    """Return the agent's sentence."""
    await asyncio.sleep(AGENT_S)
    return ANSWER


async def speech() -> AsyncIterator[bytes]:
    """Yield the voice's audio, at ``VOICE_HZ``."""
    began = time.monotonic()
    for number in range(round(SPEECH_S / PIECE_S)):
        await asyncio.sleep(max(0.0, began + TTS_S + number * PIECE_S / SPEED - time.monotonic()))
        yield _PIECE


def main(open_call: Callable[[PeerLine], Awaitable[Close]]) -> None:
    """Open calls, say ``ready``, be told when to begin, talk, and say what was seen as one line of JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--sessions", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    tally = asyncio.run(_hold(open_call, options))
    print(json.dumps(asdict(tally)), flush=True)


async def _hold(open_call: Callable[[PeerLine], Awaitable[Close]], options: argparse.Namespace) -> Tally:
    lines = [PeerLine() for _ in range(options.sessions)]
    closes = [await open_call(line) for line in lines]
    print("ready", flush=True)
    start = float(await asyncio.to_thread(sys.stdin.readline))
    dice, sayings, tally = random.Random(options.seed), recordings(), Tally()  # noqa: S311 - when callers begin
    callers = []
    for line in lines:
        begin = dice.randrange(len(sayings))
        callers.append(Caller(line, itertools.cycle([*sayings[begin:], *sayings[:begin]]), quiet(), scripted_s=0.0))
    until = start + WARM_UP_S + options.seconds
    talking = [asyncio.create_task(caller.talk(start + dice.uniform(0, SPREAD_S), until)) for caller in callers]
    for when, counting in ((start + WARM_UP_S, True), (until, False)):
        await asyncio.sleep(max(0.0, when - time.monotonic()))
        for caller in callers:
            caller.count(counting)
    await asyncio.wait(talking, timeout=GRACE_S)
    for caller in callers:
        tally.add(caller.tally)
    await asyncio.wait([asyncio.ensure_future(close()) for close in closes], timeout=GRACE_S)
    return tally
