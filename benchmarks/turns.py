"""How fast turns are, and what a session costs: ``python -m benchmarks.turns --json FILE``; see the README beside this.

Two works at 1, 10, 50 and 100 sessions through the real processes, the caller at the websocket.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import stack
from benchmarks.caller import Tally
from benchmarks.callers import Calls, hold
from benchmarks.circumstances import loadavg, others_cores, versions
from benchmarks.measure import Usage, cores, percentiles, usage
from benchmarks.processes import Window, processes, shares
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
    """Return one run as JSON has it."""
    tally, costs = await converse(work, sessions, options)
    return {**_seen(work, sessions, tally), **costs, **_circumstances(options)}


async def converse(work: Work, sessions: int, options: argparse.Namespace) -> tuple[Tally, dict[str, Any]]:
    """Hold these calls, with a deployment of their own and callers in other processes; return what was seen and spent.

    ``options`` has ``seconds``, ``workers``, ``callers`` and ``log``.
    """
    load_before = loadavg()
    async with stack.running(work.config, workers=options.workers, log=options.log) as deployment:
        empty = usage(deployment.pids, ())
        calls = [
            Calls(work=work, url=deployment.url, api_key=deployment.api_key, sessions=share, seed=seed)
            for seed, share in enumerate(shares(sessions, options.callers), start=1)
        ]
        with processes(hold, calls) as callers:
            await callers.answers(_OPEN_S)
            start = time.monotonic() + _LEAD_S
            window = Window(start=start, count_from=start + WARM_UP_S, until=start + WARM_UP_S + options.seconds)
            callers.tell(window)
            await asyncio.sleep(window.count_from - time.monotonic())
            before = usage(deployment.pids, callers.pids)
            await asyncio.sleep(window.until - time.monotonic())
            after = usage(deployment.pids, callers.pids)
            tally = Tally()
            for seen in await callers.answers(_END_S):
                tally.add(seen)
    costs = _costs(before, after, sessions, options.seconds)
    costs["rss_mb_added_per_session"] = round((after.rss_mb - empty.rss_mb) / sessions, 1)
    costs["load"]["loadavg_before"] = load_before
    return tally, costs


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
    return {
        "cpu_per_session": round(ours / sessions / seconds, 5),
        "cpu_by_process": {name: round(cpu / sessions / seconds, 5) for name, cpu in spent.items()},
        "caller_cpu_per_session": round(callers / sessions / seconds, 5),
        "rss_mb_per_session": round(after.rss_mb / sessions, 1),
        "pss_mb_per_session": round(after.pss_mb / sessions, 1),
        "load": {"cores": cores(), "other_processes_cores": others_cores(before, after, seconds)},
    }


def _circumstances(options: argparse.Namespace) -> dict[str, Any]:
    return {
        "seconds": options.seconds,
        "workers": options.workers,
        "caller_processes": options.callers,
        **versions(),
    }


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
