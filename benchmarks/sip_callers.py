"""Processes of telephones, and one of bare pacers: RTP every 20 ms, through the product and straight on."""

from __future__ import annotations

import asyncio
import gc
import struct
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from multiprocessing.connection import Connection

from benchmarks.processes import Window
from benchmarks.sip_call import FRAME, HOST, Arrivals, Telephone
from voicebackend.process import loop_factory

FRAME_S = 0.02
LATE_S = 0.005
"""Seconds after its time at which a telephone sends late: then this process had no room."""
CALLING = 8
"""Calls that are set up at once."""
_TICK_S = 0.001
_DRAIN_S = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a process of telephones is to do."""

    calls: int
    target: tuple[str, int]
    called: str


@dataclass(slots=True)
class Heard:
    """What came within the window; gaps in ms between packets that follow one another."""

    gaps_ms: list[float] = field(default_factory=list)
    packets: int = 0
    lost: int = 0
    """Numbers that never came."""
    silent: int = 0
    """Packets of silence: nothing was there to be sent, though the caller talks without a break."""
    sent: int = 0
    sent_late: int = 0

    def add(self, arrivals: Arrivals, window: Window, offset: float) -> None:
        """Count one port's packets; ``offset`` takes the window's clock to that of the arrivals."""
        start, until = window.count_from + offset, window.until + offset
        kept = [
            (at, sequence, silent)
            for at, sequence, silent in zip(arrivals.at, arrivals.sequences, arrivals.silent, strict=True)
            if start <= at < until
        ]
        self.packets += len(kept)
        self.silent += sum(silent for _, _, silent in kept)
        for (before, last, _), (at, sequence, _) in pairwise(kept):
            self.gaps_ms.append((at - before) * 1000)
            self.lost += max(0, (sequence - last & 0xFFFF) - 1)


def telephone(task: Task, pipe: Connection) -> None:
    """Call, tell how long that took and where bare packets are to go, be told the window, talk, tell what came."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        pipe.send(runner.run(_telephone(task, pipe)))


def pace(ports: Sequence[int], pipe: Connection) -> None:
    """Send a packet to each port every 20 ms of a window: a timer of the event loop, and nothing else."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        pipe.send(runner.run(_pace(ports, pipe)))


async def _telephone(task: Task, pipe: Connection) -> tuple[Heard, Heard]:
    phones, limit = [Telephone(task.target, task.called) for _ in range(task.calls)], asyncio.Semaphore(CALLING)

    async def call(phone: Telephone) -> float:
        async with limit:
            return await phone.call()

    took_s = await asyncio.gather(*map(call, phones))
    gc.collect()
    gc.freeze()
    pipe.send((took_s, [phone.bare.number for phone in phones]))
    talking = asyncio.create_task(_talk(phones), name="talk")
    window: Window = await asyncio.to_thread(pipe.recv)
    talking.cancel()
    heard, bare = Heard(), Heard()
    await _talk(phones, window, heard)
    await asyncio.sleep(_DRAIN_S)
    offset = _offset()
    for phone in phones:
        heard.add(phone.media.arrivals, window, offset)
        bare.add(phone.bare.arrivals, window, offset)
    await asyncio.gather(*(phone.hang_up() for phone in phones))
    return heard, bare


async def _talk(phones: Sequence[Telephone], window: Window | None = None, counted: Heard | None = None) -> None:
    """Have each telephone send every 20 ms, all of them in turn, until the window's end or for good."""
    start, number, step = time.monotonic(), 0, FRAME_S / len(phones)
    while window is None or time.monotonic() < window.until:
        due = start + number * step
        wait = due - time.monotonic()
        if wait > 0:
            await asyncio.sleep(max(wait, _TICK_S))
        phones[number % len(phones)].talk()
        number += 1
        if counted is not None and window is not None and due >= window.count_from:
            counted.sent += 1
            counted.sent_late += time.monotonic() > due + LATE_S
        if not number % 64:
            await asyncio.sleep(0)


async def _pace(ports: Sequence[int], pipe: Connection) -> None:
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, local_addr=(HOST, 0))
    pipe.send("ready")
    window: Window = await asyncio.to_thread(pipe.recv)
    over, due, number = asyncio.Event(), loop.time() + FRAME_S, 0
    end = loop.time() + window.until - time.monotonic()

    def tick() -> None:
        nonlocal due, number
        number += 1
        packet = struct.pack("!BBHII", 0x80, 0, number & 0xFFFF, number * FRAME, 1) + bytes(FRAME)
        for port in ports:
            transport.sendto(packet, (HOST, port))
        due += FRAME_S
        if due < end:
            loop.call_at(due, tick)
        else:
            over.set()

    loop.call_at(due, tick)
    await over.wait()
    transport.close()


def _offset() -> float:
    """Return what is to be added to the monotonic clock to have the machine's."""
    return time.time() - time.monotonic()


def total(many: Iterable[Heard]) -> Heard:
    """Add up what several processes heard."""
    found = Heard()
    for one in many:
        found.gaps_ms += one.gaps_ms
        found.packets += one.packets
        found.lost += one.lost
        found.silent += one.silent
        found.sent += one.sent
        found.sent_late += one.sent_late
    return found
