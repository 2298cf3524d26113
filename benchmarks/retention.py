"""What it costs to delete what is due: ``python -m benchmarks.retention --json FILE``; see the README beside this.

First nothing but the sweep, over indexes of more and more entries: objects a second, memory of the Celery worker and
of Redis. Then calls whose frames come back as they went, in turn without and with a sweep beside them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from argparse import Namespace
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, cast

import aiohttp
import psutil
import yaml
from redis.asyncio import Redis

from benchmarks import records, stack, transport
from benchmarks.circumstances import loadavg, versions
from benchmarks.goals import Goal
from benchmarks.measure import cores, percentiles
from control.records.index import Index
from control.records.objects import Objects
from control.records.sweep import RATE
from voicebackend._redis import connect
from voicebackend.keys import Keys
from voicebackend.publisher import publisher_for
from voicebackend.settings import Deployment
from voicebackend.tasks import RETENTION_SWEEP, Queue

ENTRIES = (1_000, 10_000, 100_000, 1_000_000)
SWEEP_S = 15.0
"""Seconds of sweeping that are measured at each size."""
SESSIONS, SECONDS, PAIRS = 20, 10.0, 5
FAST, USUAL = 100_000, RATE
"""Objects a second at most: as fast as it goes, and as shipped."""
MOST_TIMES = 1.10
"""What a sweep may do to calls, and more entries to the sweep's memory."""
_KEYS = Keys()
_TASK_S = 8.0
_POLL_S = 0.1
_START_S = 60.0
"""Seconds that a busy machine has to begin a task."""


@dataclass(frozen=True, slots=True)
class Site:
    """A deployment with a Celery worker for retention alone."""

    running: stack.Running
    redis: Redis
    objects: Objects

    @property
    def index(self) -> Index:
        """The index of its objects."""
        return Index(self.redis, _KEYS)

    @property
    def sweeper(self) -> psutil.Process:
        """The Celery worker."""
        return psutil.Process(self.running.pids["celery-apart"])

    async def gone(self) -> int:
        """Return how many objects have a receipt."""
        return (await self.index.head()).count

    async def redis_mb(self) -> float:
        """Return Redis' memory, decimal MB."""
        about: Any = await self.redis.info("memory")
        return float(about["used_memory"]) / 1e6


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for; the file is written anew after every part."""
    options = _options(arguments)
    report: dict[str, Any] = {"circumstances": {**versions(), "cores": cores(), "loadavg_before": loadavg()}}
    report["sweeps"] = asyncio.run(_sweeps(options))
    _write(options.json, report)
    report["calls"] = asyncio.run(_calls(options))
    report["goals"] = [goal.to_dict() for goal in goals(report)]
    _write(options.json, report)
    print(table(report))


@asynccontextmanager
async def _site(options: Namespace, rate: float) -> AsyncIterator[Site]:
    with tempfile.TemporaryDirectory() as folder:
        store = options.store or f"file://{folder}/records"
        settings = {"store": store, "subject_key": "k" * 40, "sweep_rate": rate}
        policies = [{"id": "transcripts", "class": "transcript", "ttl": "P30D"}]
        path = Path(folder) / "retention.yaml"
        path.write_text(yaml.safe_dump({**settings, "policies": policies}), encoding="utf-8")
        async with stack.running(
            transport.CONFIG,
            workers=options.workers,
            log=options.log,
            environment={"VOICEBACKEND_RETENTION": str(path)},
            apart=[Queue.RETENTION],
        ) as running:
            redis = connect(running.redis_url, timeout_s=30)
            try:
                yield Site(running, redis, Objects.open(store))
            finally:
                await redis.aclose()


# How fast, and in how much memory


async def _sweeps(options: Namespace) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    async with _site(options, FAST) as site:
        written = 0
        for entries in options.entries:
            before_mb, gone = await site.redis_mb(), await site.gone()
            fill_s = await records.fill(site.redis, _KEYS, range(written, gone + entries))
            added = gone + entries - written
            mb = await site.redis_mb() - before_mb
            written = gone + entries
            await records.write(site.index, site.objects, range(gone, min(written, gone + options.objects)))
            run = await _sweep(site, options)
            told = {"entries": entries, "fill_s": round(fill_s, 1), "redis_bytes_per_entry": round(mb * 1e6 / added)}
            found.append({**told, **run})
    return found


async def _sweep(site: Site, options: Namespace) -> dict[str, Any]:
    """Sweep until the time is over or nothing is left; where objects run out, time ends too."""
    gone, cpu_s = await site.gone(), sum(site.sweeper.cpu_times()[:2])
    rss_mb: list[float] = []
    done, began = 0, time.perf_counter()
    async with _sweeping(site):
        while (passed := time.perf_counter() - began) < options.sweep_seconds or not (done or passed > _START_S):
            rss_mb.append(site.sweeper.memory_info().rss / 1e6)
            await asyncio.sleep(_POLL_S)
            done, left = await site.gone() - gone, await site.redis.zcard(_KEYS.records_due())
            if not left or done >= options.objects:
                break
        seconds = time.perf_counter() - began
        done, spent = await site.gone() - gone, sum(site.sweeper.cpu_times()[:2]) - cpu_s
    return {
        "deleted": done,
        "objects_per_s": round(done / seconds),
        "cpu_us_per_object": round(spent * 1e6 / max(1, done)),
        "rss_mb_most": round(max(rss_mb), 1),
    }


@asynccontextmanager
async def _sweeping(site: Site) -> AsyncIterator[None]:
    """Have one sweep after the other; at the end, wait until the last has stopped."""
    publisher = publisher_for(Deployment().with_redis(site.running.redis_url))

    async def publish() -> None:
        while True:
            await publisher.publish(RETENTION_SWEEP)
            await asyncio.sleep(_TASK_S / 4)

    publishing = asyncio.create_task(publish(), name="publishing sweeps")
    try:
        yield
    finally:
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)
        await publisher.aclose()
        await site.redis.delete(f"{_KEYS.prefix}:{Queue.RETENTION.value}")
        await _at_rest(site)


async def _begun(site: Site, before: int) -> None:
    """Return once something is deleted, or nothing is for too long."""
    until = time.perf_counter() + _START_S
    while await site.gone() == before and time.perf_counter() < until:  # noqa: ASYNC110 - Redis tells nobody
        await asyncio.sleep(_POLL_S)


async def _at_rest(site: Site) -> None:
    """Return once nothing is deleted any more."""
    until = time.perf_counter() + 3 * _TASK_S
    before, still = -1, 0
    while still < 10 and time.perf_counter() < until:
        now = await site.gone()
        before, still = now, still + 1 if now == before else 0
        await asyncio.sleep(2 * _POLL_S)


# What calls notice


async def _calls(options: Namespace) -> dict[str, Any]:
    pairs: list[dict[str, Any]] = []
    async with _site(options, USUAL) as site, aiohttp.ClientSession() as client:
        await records.fill(site.redis, _KEYS, range(max(options.entries)))
        each = round(USUAL * (options.seconds + transport.WARM_UP_S + 2 * _TASK_S))
        await records.write(site.index, site.objects, range(min(max(options.entries), each * options.pairs)))
        for number in range(options.pairs):
            found: dict[str, Any] = {}
            for sweeping in (False, True) if number % 2 else (True, False):
                found["with" if sweeping else "without"] = await _window(site, client, options, sweeping=sweeping)
            pairs.append(found)
    times = {
        at: round(median(pair["with"]["round_trip_ms"][at] / pair["without"]["round_trip_ms"][at] for pair in pairs), 3)
        for at in ("p50", "p95", "p99")
    }
    return {"sessions": options.sessions, "seconds": options.seconds, "pairs": pairs, "times_without": times}


async def _window(site: Site, client: aiohttp.ClientSession, options: Namespace, *, sweeping: bool) -> dict[str, Any]:
    sockets = await transport.create(client, site.running, options.sessions)
    before = await site.gone()
    if sweeping:
        async with _sweeping(site):
            await _begun(site, before)
            load = await transport.load(sockets, site.running.pids, options)
    else:
        load = await transport.load(sockets, site.running.pids, options)
    trips = [seconds * 1000 for seconds in load.seen.round_trips]
    return {
        "round_trip_ms": percentiles(trips, digits=3),
        "lost": load.seen.sent - len(trips),
        "deleted": await site.gone() - before,
        "sweeper_cores": round(
            (load.after.cpu_s["celery-apart"] - load.before.cpu_s["celery-apart"]) / options.seconds, 2
        ),
    }


# What it means


def goals(report: dict[str, Any]) -> list[Goal]:
    """Return what should hold."""
    sweeps, calls = report["sweeps"], report["calls"]
    idle = "" if all(pair["with"]["deleted"] for pair in calls["pairs"]) else "nothing was deleted meanwhile"
    first, last = sweeps[0], sweeps[-1]
    memory = round(last["rss_mb_most"] / first["rss_mb_most"], 3)
    return [
        Goal(f"memory with {last['entries']} entries, times that with {first['entries']}", memory, MOST_TIMES),
        *(
            Goal(f"{at} of a frame's round trip with a sweep, times that without", times, MOST_TIMES, why=idle)
            for at, times in calls["times_without"].items()
            if at != "p99"
        ),
    ]


def table(report: dict[str, Any]) -> str:
    """Return the figures as text."""
    lines = ["entries    objects/s  us/object  RSS MB  Redis bytes/entry"]
    lines += [
        f"{one['entries']:>9}  {one['objects_per_s']:>9}  {one['cpu_us_per_object']:>9}  {one['rss_mb_most']:>6}"
        f"  {one['redis_bytes_per_entry']:>6}"
        for one in report["sweeps"]
    ]
    lines.append(f"round trip with a sweep, times that without: {cast('Any', report['calls']['times_without'])}")
    return "\n".join([*lines, *map(Goal.line, report["goals"])])


def _write(path: Path, report: dict[str, Any]) -> None:
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _options(arguments: Sequence[str] | None) -> Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.retention", description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="where the results go")
    parser.add_argument("--quick", action="store_true", help="only see whether it runs")
    parser.add_argument("--entries", type=lambda text: [int(n) for n in text.split(",")], default=list(ENTRIES))
    parser.add_argument("--objects", type=int, default=30_000, help="objects of an index that are in the store")
    parser.add_argument("--sweep-seconds", type=float, default=SWEEP_S, help="at each size")
    parser.add_argument("--sessions", type=int, default=SESSIONS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of calls, each time, after 3 s of warm-up")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--store", help="s3://bucket/prefix, with AWS_… in the environment; else a folder")
    parser.add_argument("--workers", type=int, default=1, help="streaming workers")
    parser.add_argument("--generators", type=int, default=1, help="processes that hold callers")
    parser.add_argument("--log", type=Path, default=None, help="where the processes' warnings go")
    options = parser.parse_args(arguments)
    if options.quick:
        options.entries, options.objects, options.sweep_seconds = [500, 2_000], 300, 2.0
        options.sessions, options.seconds, options.pairs = 2, 2.0, 1
    return options


if __name__ == "__main__":
    main()
