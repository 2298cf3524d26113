"""What the way there and back costs: ``python -m benchmarks.transport --json FILE``; see the README beside this.

Callers send 20 ms frames; provider ``echo`` sends each back at once: caller, gateway, Redis, worker, and back. In the
same run: a bare aiohttp websocket that echoes to the same callers, and a C program in the worker's place at the lanes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks import lane_limit, stack, transport_goals
from benchmarks.circumstances import loadavg, others_cores, versions
from benchmarks.generator import Seen, Socket, generate
from benchmarks.measure import Usage, cores, percentiles, usage
from benchmarks.processes import Window, processes, shares
from voicebackend.cli.stack import free_port
from voicebackend.embedded.processes import ManagedProcess

SESSIONS = (10, 50, 100, 200, 400)
SECONDS = 20.0
WARM_UP_S = 3.0
LATE_MS = 20.0
"""Milliseconds beyond the median round trip after which a frame is late: a buffer of one frame has run dry."""
CONFIG = {"provider": "echo", "max_concurrent_sessions": 0}
_OPENING = 8
_OPEN_S, _END_S = 120.0, 60.0
_LEAD_S = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One server under one load."""

    seen: Seen
    before: Usage
    after: Usage

    def cpu_us_per_frame(self, *names: str) -> float:
        """Return microseconds of CPU for each frame that came back, of the processes whose names begin like this."""
        spent = sum(cpu - self.before.cpu_s[name] for name, cpu in self.after.cpu_s.items() if name.startswith(names))
        return round(spent * 1e6 / max(1, len(self.seen.round_trips)), 2)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for; the file is written anew after every run."""
    options = _options(arguments)
    report: dict[str, Any] = {"runs": [], "limits": {}, "circumstances": {**versions(), "cores": cores()}}
    for sessions in options.sessions:
        report["runs"].append(asyncio.run(measure(sessions, options)))
        _write(options.json, report)
    report["limits"] = _limits(report["runs"], asyncio.run(lane_limit.measure(options.limit_at, options.seconds)))
    report["goals"] = transport_goals.judge(report["runs"])
    _write(options.json, report)
    print(transport_goals.table(report))


async def measure(sessions: int, options: argparse.Namespace) -> dict[str, Any]:
    """Return one run: the bare echo first, then the product, each with nothing else running."""
    load_before = loadavg()
    async with _bare_echo() as (url, pids):
        bare = await load([Socket(url=url)] * sessions, pids, options)
    async with (
        stack.running(CONFIG, workers=options.workers, log=options.log) as deployment,
        aiohttp.ClientSession() as client,
    ):
        sockets = await create(client, deployment, sessions)
        ours = await load(sockets, deployment.pids, options)
    return {
        **_seen(sessions, ours, bare),
        "seconds": options.seconds,
        "workers": options.workers,
        "load": {
            "loadavg_before": load_before,
            "other_processes_cores": others_cores(ours.before, ours.after, options.seconds),
            "generator_cores": round((ours.after.callers_s - ours.before.callers_s) / options.seconds, 2),
            "generator_late_pct": _percent(ours.seen.sent_late + ours.seen.skipped, ours.seen.sent + ours.seen.skipped),
        },
    }


def _seen(sessions: int, ours: Load, bare: Load) -> dict[str, Any]:
    trips = [seconds * 1000 for seconds in ours.seen.round_trips]
    bare_trips = [seconds * 1000 for seconds in bare.seen.round_trips]
    round_trip, echoed = percentiles(trips, digits=2), percentiles(bare_trips, digits=2)
    return {
        "sessions": sessions,
        "frames": ours.seen.sent,
        "added_ms": {at: _less(round_trip[at], echoed[at]) for at in round_trip},
        "round_trip_ms": round_trip,
        "lost": ours.seen.sent - len(trips),
        "repeated": ours.seen.repeated,
        "late_pct": _late_pct(trips, round_trip["p50"]),
        "cpu_us_per_frame": {
            "gateway": ours.cpu_us_per_frame("control"),
            "worker": ours.cpu_us_per_frame("worker"),
            "redis": ours.cpu_us_per_frame("redis"),
        },
        "bare_echo": {
            "round_trip_ms": echoed,
            "late_pct": _late_pct(bare_trips, echoed["p50"]),
            "us_per_frame": bare.cpu_us_per_frame("bare"),
        },
    }


def _late_pct(trips_ms: Sequence[float], median_ms: float | None) -> float:
    return _percent(sum(trip > (median_ms or 0.0) + LATE_MS for trip in trips_ms), len(trips_ms))


def _less(value: float | None, less: float | None) -> float | None:
    return None if value is None or less is None else round(value - less, 2)


def _percent(part: int, whole: int) -> float:
    return round(100 * part / max(1, whole), 4)


def _limits(runs: Sequence[Mapping[str, Any]], lane: Mapping[str, Any]) -> dict[str, Any]:
    nearest = min(runs, key=lambda run: abs(run["sessions"] - lane["sessions"]))
    return {
        "at_sessions": nearest["sessions"],
        "bare_echo_us_per_frame": nearest["bare_echo"]["us_per_frame"],
        "c_reader_us_per_frame": lane["us_per_frame"],
        "c_reader": lane,
    }


async def load(sockets: Sequence[Socket], pids: Mapping[str, int], options: argparse.Namespace) -> Load:
    """Let generators send over these sockets, and see what the processes of these names spend meanwhile."""
    taken = iter(sockets)
    tasks = [[next(taken) for _ in range(share)] for share in shares(len(sockets), options.generators)]
    with processes(generate, tasks) as callers:
        await callers.answers(_OPEN_S)
        start = time.monotonic() + _LEAD_S
        window = Window(start=start, count_from=start + WARM_UP_S, until=start + WARM_UP_S + options.seconds)
        callers.tell(window)
        await asyncio.sleep(window.count_from - time.monotonic())
        before = usage(pids, callers.pids)
        await asyncio.sleep(window.until - time.monotonic())
        after = usage(pids, callers.pids)
        seen = Seen()
        for one in await callers.answers(_END_S):
            seen.add(one)
    return Load(seen=seen, before=before, after=after)


async def create(client: aiohttp.ClientSession, deployment: stack.Running, sessions: int) -> list[Socket]:
    """Make sessions, and return how callers connect to them."""
    limit = asyncio.Semaphore(_OPENING)

    async def one(number: int) -> Socket:
        body = {"user_id": f"caller-{number}", "transport": "websocket"}
        headers = {"Authorization": f"Bearer {deployment.api_key}", "Prefer": "wait=10"}
        async with limit, client.post(f"{deployment.url}/v1/sessions", json=body, headers=headers) as response:
            if response.status != 201:
                raise RuntimeError(await response.text())
            made = await response.json()
        return Socket(url=made["connect_url"], protocols=f"voicebackend.v1, token.{made['token']}")

    return list(await asyncio.gather(*map(one, range(sessions))))


@asynccontextmanager
async def _bare_echo() -> AsyncIterator[tuple[str, dict[str, int]]]:
    """Run the bare echo; yields its url and its process id by name."""
    port = free_port()
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    process = ManagedProcess("bare", [sys.executable, "-m", "benchmarks.bare_echo", str(port)], env=env)
    await process.start()
    try:
        await _until_open(port)
        yield f"ws://127.0.0.1:{port}/", {"bare": process.pid or 0}
    finally:
        await process.stop()


async def _until_open(port: int) -> None:
    async with asyncio.timeout(stack.READY_S):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


def _write(path: Path, report: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.transport", description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="where the results go")
    parser.add_argument("--sessions", type=lambda text: [int(n) for n in text.split(",")], default=list(SESSIONS))
    parser.add_argument("--seconds", type=float, default=SECONDS, help="counted in each run, after 3 s of warm-up")
    parser.add_argument("--workers", type=int, default=1, help="streaming workers")
    parser.add_argument("--generators", type=int, default=1, help="processes that hold callers")
    parser.add_argument("--limit-at", type=int, default=100, help="sessions of the C program's run")
    parser.add_argument("--log", type=Path, default=None, help="where the processes' warnings go")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
