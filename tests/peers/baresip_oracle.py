"""A telephone (baresip) that calls a URI and does what it is told, step by step.

Usage: ``baresip_oracle.py [OPTION...] URI RECORDING STEP...``. What it hears goes to RECORDING (PCM, 8 kHz). For each
step it prints a line of JSON with the samples that had been heard when it was done.

Steps: ``say:FILE`` (PCM, 8 kHz), ``answered`` (something was heard, and then nothing for a while), ``hold:S``,
``resume``, ``press:DIGITS``, ``wait:S``, ``hang_up``, ``hung_up_on``.
"""

from __future__ import annotations

import argparse
import array
import asyncio
import json
from collections.abc import Callable
from pathlib import Path

from baresip import Account, Call, CallState, Config, Runtime, UserAgent
from baresip.errors import AudioNotActive, AudioRestarted, CallFailed

RATE, TICK_S = 8000, 0.02
LOUD = 300
"""A peak of a frame that is no silence."""
QUIET_S, ANSWER_S, OVER_S = 2.0, 60.0, 60.0
FRAME = 2 * round(RATE * TICK_S)


class Telephone:
    """One call."""

    def __init__(self, call: Call) -> None:
        self.call, self.heard, self.to_say = call, bytearray(), bytearray()
        self.loud_at = self.quiet_s = 0.0

    async def run(self) -> None:
        """Every 20 ms, keep what has come and feed what is to be said."""
        now = asyncio.get_running_loop().time
        due = now()
        while self.call.state is not CallState.CLOSED:
            self._exchange(now())
            due += TICK_S
            await asyncio.sleep(max(0.0, due - now()))

    def _exchange(self, now: float) -> None:
        try:
            pcm = self.call.audio.read(8 * FRAME)
            self.heard += pcm
            if pcm and max(map(abs, array.array("h", pcm))) > LOUD:
                self.loud_at = now
            if self.to_say and self.call.audio.info().tx_buffered < 4 * FRAME:
                taken = self.call.audio.write(bytes(self.to_say[:FRAME]))
                del self.to_say[:taken]
        except (AudioNotActive, AudioRestarted):
            return  # the next tick finds the call's new streams

    async def step(self, name: str, value: str) -> None:
        """Do one thing, and return when it is done."""
        match name:
            case "say":
                self.to_say += await asyncio.to_thread(Path(value).read_bytes)
                await self._until(lambda: not self.to_say, ANSWER_S)
            case "answered":
                await self._answered()
            case "hold":
                await self.call.hold()
                await asyncio.sleep(float(value))
            case "resume":
                await self.call.resume()
            case "press":
                await self.call.send_dtmf(value)
            case "wait":
                await asyncio.sleep(float(value))
            case "hang_up":
                await self.call.hangup()
                await self._until(lambda: self.call.state is CallState.CLOSED, OVER_S)
            case "hung_up_on":
                await self._until(lambda: self.call.state is CallState.CLOSED, OVER_S)
            case _:
                raise ValueError(name)

    async def _answered(self) -> None:
        now = asyncio.get_running_loop().time
        since = now()
        await self._until(lambda: self.loud_at > since and now() - self.loud_at > QUIET_S, ANSWER_S)

    async def _until(self, holds: Callable[[], bool], s: float) -> None:
        async with asyncio.timeout(s):
            while not holds():  # noqa: ASYNC110 - audio comes by reading
                await asyncio.sleep(TICK_S)


async def main(options: argparse.Namespace) -> None:
    """Call, and do all steps."""
    runtime = Runtime()
    await runtime.start(Config(net_interface=options.host))
    try:
        account = Account(
            *(options.user, "127.0.0.1", options.secret),
            reg_interval=0,
            transport=options.transport,
            audio_codecs=(options.codec,),
            dtmf_mode=options.keys,
        )
        agent = await UserAgent.create(runtime, account)
        now = asyncio.get_running_loop().time
        began = now()
        call = await agent.dial(options.uri)
        try:
            await call.wait_established(20)
        except CallFailed as error:
            tell("refused", why=str(error))
            return
        tell("established", s=now() - began)
        await converse(call, options)
    finally:
        await runtime.close()


async def converse(call: Call, options: argparse.Namespace) -> None:
    """Do the steps of a call that is answered."""
    telephone, now = Telephone(call), asyncio.get_running_loop().time
    running = asyncio.create_task(telephone.run())
    for step in options.steps:
        name, _, value = step.partition(":")
        began = now()
        await telephone.step(name, value)
        tell(name, s=now() - began, heard=len(telephone.heard) // 2)
    running.cancel()
    await asyncio.to_thread(Path(options.recording).write_bytes, telephone.heard)
    stats = call.final_stats
    tell("over", sent=stats.tx_packets, received=stats.rx_packets, lost=stats.rx_lost, jitter_ms=stats.rx_jitter_ms)


def tell(step: str, **more: object) -> None:
    """Print a line for the test."""
    print(json.dumps({"step": step, **more}), flush=True)


parser = argparse.ArgumentParser()
parser.add_argument("--host", default="127.0.0.1", help="the address that it calls from")
parser.add_argument("--user", default="+12025550111")
parser.add_argument("--secret", default="")
parser.add_argument("--codec", default="pcmu")
parser.add_argument("--transport", default="udp")
parser.add_argument("--keys", default="rtpevent", help="how keys are told: rtpevent or info")
for argument in ("uri", "recording"):
    parser.add_argument(argument)
parser.add_argument("steps", nargs="*")
asyncio.run(main(parser.parse_args()))
