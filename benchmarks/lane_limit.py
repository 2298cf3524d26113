"""The least that the worker's end of the lanes can cost: ``lane_echo.c`` there, this process for the gateway."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from benchmarks.frames import FRAME_S, stamped, stamps
from benchmarks.measure import percentiles, usage
from voicebackend import channel
from voicebackend._redis import connect
from voicebackend.embedded.processes import ManagedProcess
from voicebackend.embedded.redis_server import RedisServer
from voicebackend.keys import Keys
from voicebackend.streams import INBOX_WINDOW_S, LANE_WINDOW_S, Frame, Kind
from worker.settings import WorkerSettings

SOURCE = Path(__file__).with_name("lane_echo.c")
_TICK_S = 0.001
_WARM_UP_S, _DRAIN_S, _KEEP_S = 1.0, 1.0, 0.5
_GATEWAY = "limit"


def compiler() -> str | None:
    """Return a C compiler of this machine, None if there is none."""
    return next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)


async def measure(sessions: int, seconds: float) -> dict[str, Any]:
    """Return what a frame costs the C program and Redis, and its way there and back; nulls without a compiler."""
    cc = compiler()
    if cc is None:
        return {"sessions": sessions, "us_per_frame": None, "why": "there is no C compiler on this machine"}
    keys, lanes = Keys(), [Keys().lane(number) for number in range(WorkerSettings.from_env().lanes)]
    async with RedisServer() as redis, _Lanes(redis.url, keys.inbox(_GATEWAY), lanes) as ends:
        socket = redis.url.removeprefix("unix://")
        async with _compiled(cc, [socket, keys.inbox(_GATEWAY), *lanes]) as echo:
            pids = {"c": echo.pid or 0, "redis": redis.process.pid or 0}
            start = time.monotonic()
            sending = asyncio.create_task(ends.send(sessions, start + _WARM_UP_S + seconds), name="send")
            await asyncio.sleep(_WARM_UP_S)
            ends.counting = True
            before = usage(pids, ())
            await sending
            after = usage(pids, ())
            await asyncio.sleep(_DRAIN_S)
    spent = {name: (after.cpu_s[name] - before.cpu_s[name]) * 1e6 / max(1, ends.sent) for name in pids}
    return {
        "sessions": sessions,
        "lanes": len(lanes),
        "us_per_frame": round(spent["c"], 2),
        "redis_us_per_frame": round(spent["redis"], 2),
        "round_trip_ms": percentiles([trip * 1000 for trip in ends.round_trips], digits=2),
        "lost": ends.sent - len(ends.round_trips),
    }


class _Lanes:
    """A gateway's ends of the lanes and of its inbox, and the care that their owners take of them."""

    def __init__(self, url: str, inbox: str, lanes: list[str]) -> None:
        self._sending, self._reading = connect(url, timeout_s=1.0), connect(url, timeout_s=None)
        self._sender, self._reader = channel.Sender(self._sending), channel.Reader(self._reading)
        self._inbox, self._lanes = inbox, lanes
        self._tasks: list[asyncio.Task[None]] = []
        self.counting = False
        self.sent = 0
        self.round_trips = array("d")

    async def __aenter__(self) -> _Lanes:
        for lane in self._lanes:
            await channel.create(self._sending, lane)
        self._reader.add(self._inbox, await channel.create(self._sending, self._inbox))
        self._tasks = [
            asyncio.create_task(loop, name="lanes") for loop in (self._sender.run(), self._read(), self._keep())
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._sending.aclose()
        await self._reading.aclose()

    async def send(self, sessions: int, until: float) -> None:
        """Send for so many sessions: each a frame every 20 ms, all of them in turn."""
        ids = [f"{number:032x}" for number in range(1, sessions + 1)]
        number, start, step = 0, time.monotonic(), FRAME_S / sessions
        while (due := start + number * step) < until:
            wait = due - time.monotonic()
            if wait > 0:
                await asyncio.sleep(max(wait, _TICK_S))
            now, which = time.monotonic(), number % sessions
            self.sent += self.counting
            frame = Frame(ids[which], Kind.AUDIO_IN, stamped(int(self.counting), now), seq=number)
            self._sender.send(self._lanes[which % len(self._lanes)], frame)
            number += 1

    async def _read(self) -> None:
        while True:
            frames = await self._reader.frames()
            now = time.monotonic()
            for frame in frames:
                [(counted, sent)] = stamps(frame.payload)
                if counted:
                    self.round_trips.append(now - sent)

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(_KEEP_S)
            await channel.keep(self._sending, self._inbox, self._reader, window_s=INBOX_WINDOW_S)
            for lane in self._lanes:
                oldest = round((time.time() - LANE_WINDOW_S) * 1000)
                await self._sending.xtrim(lane, minid=oldest, approximate=True)
                await self._sending.expire(lane, 60)


@asynccontextmanager
async def _compiled(cc: str, arguments: list[str]) -> AsyncIterator[ManagedProcess]:
    """Compile the C program and run it."""
    with tempfile.TemporaryDirectory() as folder:
        program = str(Path(folder) / "lane_echo")
        compiling = await asyncio.create_subprocess_exec(cc, "-O2", "-o", program, str(SOURCE))
        if await compiling.wait():
            raise RuntimeError(f"{SOURCE.name} does not compile")
        process = ManagedProcess("lane_echo", [program, *arguments])
        await process.start()
        try:
            yield process
        finally:
            await process.stop()
            if process.returncode == 1:
                raise RuntimeError(" ".join(process.tail))
