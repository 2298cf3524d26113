"""How fast turns are, and what a session costs: ``python -m benchmarks.turns --json FILE``; see the README beside this.

Two works at 1, 10, 50 and 100 sessions through the real processes, the caller at the websocket.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import platform
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks import stack
from benchmarks.caller import Tally
from benchmarks.callers import Calls, Window, hold
from benchmarks.measure import Usage, cores, percentiles, usage
from benchmarks.works import ONSET_S, Work, works

SESSIONS = (1, 10, 50, 100)
WARM_UP_S = 6.0
SECONDS = 60.0
_LEAD_S = 0.5
_FRAME_S = 0.02
_OPEN_S = 120.0
_END_S = 60.0


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for; the file is written anew after every run."""
    options = _options(arguments)
    chosen = [work for work in works() if options.work in {work.name, "both"}]
    runs: list[dict[str, Any]] = []
    for work in chosen:
        for sessions in options.sessions:
            run = asyncio.run(measure(work, sessions, options))
            print(json.dumps(run, indent=1), file=sys.stderr)
            runs.append(run)
            options.json.write_text(json.dumps({"runs": runs}, indent=1) + "\n", encoding="utf-8")


async def measure(work: Work, sessions: int, options: argparse.Namespace) -> dict[str, Any]:
    """Return one run: a deployment of its own, callers in processes of their own."""
    load_before = os.getloadavg()[0]
    async with stack.running(work.config, workers=options.workers, log=options.log) as deployment:
        empty = usage(deployment.pids, ())
        calls = [
            Calls(work=work, url=deployment.url, api_key=deployment.api_key, sessions=share, seed=seed)
            for seed, share in enumerate(_shares(sessions, options.callers), start=1)
        ]
        with _processes(calls) as (pids, pipes):
            for pipe in pipes:
                await _receive(pipe, _OPEN_S)
            start = time.monotonic() + _LEAD_S
            window = Window(start=start, count_from=start + WARM_UP_S, until=start + WARM_UP_S + options.seconds)
            for pipe in pipes:
                pipe.send(window)
            await asyncio.sleep(window.count_from - time.monotonic())
            before = usage(deployment.pids, pids)
            await asyncio.sleep(window.until - time.monotonic())
            after = usage(deployment.pids, pids)
            tally = Tally()
            for pipe in pipes:
                tally.add(await _receive(pipe, _END_S))
    costs = _costs(before, after, sessions, options.seconds)
    added = {"rss_mb_added_per_session": round((after.rss_mb - empty.rss_mb) / sessions, 1)}
    costs["load"]["loadavg_before"] = round(load_before, 2)
    return {**_seen(work, sessions, tally), **costs, **added, **_circumstances(options)}


def _seen(work: Work, sessions: int, tally: Tally) -> dict[str, Any]:
    """Return what the callers saw."""
    return {
        "work": work.name,
        "pipeline": work.pipeline,
        "sessions": sessions,
        "turns": len(tally.e2e),
        "e2e_ms": percentiles(tally.e2e),
        "scripted_ms": round(work.scripted_s * 1000),
        "overhead_ms": percentiles(tally.e2e, less=work.scripted_s * 1000),
        "stages_ms": {stage: percentiles(times) for stage, times in tally.stages.items()},
        "barge_ins": len(tally.barge_in),
        "barge_in_ms": percentiles(tally.barge_in),
        "scripted_barge_in_ms": None if work.recorded else round((ONSET_S - _FRAME_S) * 1000),
        "lost_turns": tally.lost,
        "premature_turns": tally.premature,
        "frames_out": tally.frames_out,
        "late_frames": tally.late_out,
        "frames_in": tally.frames_in,
        "late_frames_in": tally.late_in,
    }


def _costs(before: Usage, after: Usage, sessions: int, seconds: float) -> dict[str, Any]:
    """Return what the sessions cost: cores and decimal MB for each."""
    spent = {name: after.cpu_s[name] - before.cpu_s[name] for name in after.cpu_s}
    ours, callers = sum(spent.values()), after.callers_s - before.callers_s
    others = (after.machine_s - before.machine_s - ours - callers) / seconds
    return {
        "cpu_per_session": round(ours / sessions / seconds, 5),
        "cpu_by_process": {name: round(cpu / sessions / seconds, 5) for name, cpu in spent.items()},
        "caller_cpu_per_session": round(callers / sessions / seconds, 5),
        "rss_mb_per_session": round(after.rss_mb / sessions, 1),
        "pss_mb_per_session": round(after.pss_mb / sessions, 1),
        "load": {"cores": cores(), "other_processes_cores": round(others, 2)},
    }


def _circumstances(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "seconds": options.seconds,
        "workers": options.workers,
        "caller_processes": options.callers,
        "python": platform.python_version(),
    }


def _shares(sessions: int, processes: int) -> list[int]:
    """Share sessions out over processes; none gets none."""
    base, more = divmod(sessions, processes)
    return [share for share in (base + (number < more) for number in range(processes)) if share]


@contextmanager
def _processes(calls: Sequence[Calls]) -> Iterator[tuple[list[int], list[Connection]]]:
    """Run a process for each set of calls, and end them."""
    context = multiprocessing.get_context("spawn")
    pipes = [context.Pipe() for _ in calls]
    running = [
        context.Process(target=hold, args=(one, theirs), daemon=True)
        for one, (_, theirs) in zip(calls, pipes, strict=True)
    ]
    for process in running:
        process.start()
    try:
        yield [process.pid or 0 for process in running], [ours for ours, _ in pipes]
    finally:
        for process in running:
            process.join(_END_S)
            process.kill()


async def _receive(pipe: Connection, timeout_s: float) -> Any:
    if not await asyncio.to_thread(pipe.poll, timeout_s):
        raise RuntimeError(f"the callers did not answer within {timeout_s:g} s")
    return pipe.recv()


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.turns", description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="where the results go")
    parser.add_argument("--work", choices=("readme", "peers", "both"), default="both")
    parser.add_argument("--sessions", type=lambda text: [int(n) for n in text.split(",")], default=list(SESSIONS))
    parser.add_argument("--seconds", type=float, default=SECONDS, help="counted in each run, after 6 s of warm-up")
    parser.add_argument("--workers", type=int, default=1, help="streaming workers")
    parser.add_argument("--callers", type=int, default=1, help="processes that hold callers")
    parser.add_argument("--log", type=Path, default=None, help="where the processes' warnings go")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
