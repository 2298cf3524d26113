"""What processes hold: memory, open files, sockets, threads, asyncio tasks; and what is left in their Redis."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from deployment import Site
from redis_harness import leaked_keys

from voicebackend._redis import connect_sync
from voicebackend.settings import Deployment

LATE_S = 60.0
CALM_S = 3.0
"""Seconds of quiet before memory is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What one process holds while nobody calls."""

    rss_mb: float
    files: int
    sockets: int
    half_closed: int
    """Sockets that the far side has closed, and ours has not."""
    threads: int
    tasks: Counter[str]
    """Asyncio tasks by name."""


async def held(running: Site) -> dict[str, Held]:
    """Return what each process holds now, once it has collected its garbage."""
    await asyncio.sleep(CALM_S)
    told: dict[str, Held] = {}
    for name in list(running.processes):
        tasks = await _tasks(running, name)
        pid = running.processes[name].pid
        assert pid is not None, name
        told[name] = await asyncio.to_thread(_held, psutil.Process(pid), tasks)
    return told


async def _tasks(running: Site, name: str) -> Counter[str]:
    start = len(running.log)
    running.signal(name, signal.SIGUSR2)
    async with asyncio.timeout(LATE_S):
        while True:
            for who, line in running.log[start:]:
                if who == name and line.startswith("tasks counted "):
                    return Counter(json.loads(line.removeprefix("tasks counted ")))
            await asyncio.sleep(0.05)


def _held(process: psutil.Process, tasks: Counter[str]) -> Held:
    connections = process.net_connections()
    return Held(
        rss_mb=process.memory_info().rss / 2**20,
        files=process.num_fds(),
        sockets=len(connections),
        half_closed=sum(1 for one in connections if one.status == psutil.CONN_CLOSE_WAIT),
        threads=process.num_threads(),
        tasks=tasks,
    )


def live(url: str) -> dict[str, int]:
    """Return what is taken of slots: sessions that are not over, and those that have a place in a lane."""
    keys = Deployment().keys
    with connect_sync(url) as client:
        lanes: Any = client.scan_iter(keys.of_any_lane()[1].replace("%d", "*"), count=1000)
        return {
            "live": _number(client.zcard(keys.live_sessions())),
            "slots": sum(_number(client.scard(lane)) for lane in lanes),
        }


def _number(told: Any) -> int:
    return int(told)


async def until_over(url: str, *, timeout_s: float) -> dict[str, int]:
    """Wait until no session is left; return what is left of them then."""
    loop = asyncio.get_running_loop()
    over_at = loop.time() + timeout_s
    while any((left := await asyncio.to_thread(live, url)).values()) and loop.time() < over_at:  # noqa: ASYNC110 - in Redis
        await asyncio.sleep(0.2)
    return left


def eternal(urls: set[str]) -> list[str]:
    """Return keys without a time to live that are on no list."""
    found = []
    for url in urls:
        with connect_sync(url) as client:
            found += leaked_keys(client)
    return found


def files(folder: Path) -> set[str]:
    """Return the files in a folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
