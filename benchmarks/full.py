"""How many whole conversations this machine carries: ``python -m benchmarks.full --json FILE``; see the README.

Real voice detection, turn detector and resampling; recogniser, agent and voice by script. With more and more sessions,
until a turn's overhead is too long; the same callers then talk to other frameworks, where their environments are.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import agents, works
from benchmarks.caller import Tally
from benchmarks.capacity_search import MOST_MS, added_by_load, carried, overhead
from benchmarks.circumstances import loadavg, others_cores, versions
from benchmarks.detectors import usable
from benchmarks.full_table import DEFAULT, goals, table
from benchmarks.ideal import answers_ms
from benchmarks.measure import by_role, cores, percentiles
from benchmarks.peers import frameworks
from benchmarks.turns import converse
from voicebackend.conversation import Endpointing

SESSIONS = (5, 50, 75, 100, 125, 150)
PEER_SESSIONS = (5, 10, 20, 30, 40, 50)
DETECTORS = (DEFAULT, "smart_turn")
"""The default, and the one that listens."""
SECONDS = 30.0
HOPELESS = 4
"""Times the overhead that is allowed, at which more sessions are not tried."""
Talk = Callable[[int], Coroutine[Any, Any, tuple[Tally, dict[str, Any]]]]
"""Holds so many sessions; returns what callers saw, and what it cost."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for; the file is written anew after every run."""
    options = _options(arguments)
    report: dict[str, Any] = {
        "circumstances": {**versions(), "cores": cores(), "loadavg_before": loadavg()},
        "most_ms": MOST_MS,
        "systems": {},
    }
    for name, steps, talk, ideal in _systems(options):
        report["systems"][name] = _ramp(steps, talk, ideal)
        _write(options.json, report)
    report["missing"] = _missing(options)
    report["goals"] = [goal.to_dict() for goal in goals(report)]
    _write(options.json, report)
    print(table(report))


def _systems(options: argparse.Namespace) -> Iterator[tuple[str, Sequence[int], Talk, Mapping[str, float] | None]]:
    """Yield what is measured: name, numbers of sessions, how to hold them, and what turns would ideally take."""
    for detector, settings in usable(options.detectors, options.peers).items():
        work = works.full(detector, settings)
        script_s = agents.FIRST_S + works.TTS_FIRST_S
        ideal = answers_ms(work.sayings, works.engines_of(work), Endpointing(adapt=False), script_s)
        yield f"voicebackend, {detector}", options.sessions, partial(_ours, work, options), ideal
    for framework in frameworks.installed(options.peers):
        yield framework.name, options.peer_sessions, partial(_theirs, framework, options), None


def _ramp(steps: Sequence[int], talk: Talk, ideal: Mapping[str, float] | None) -> dict[str, Any]:
    """Hold more and more sessions until turns take far too long.

    Without an ideal, overhead is what load adds to the turns of the fewest sessions.
    """
    by = "added_by_load_ms" if ideal is None else "overhead_ms"
    runs: list[dict[str, Any]] = []
    unloaded: Mapping[str, float] = {}
    for sessions in steps:
        tally, costs = asyncio.run(talk(sessions))
        unloaded = unloaded or {name: median(times) for name, times in tally.by_saying.items()}
        run = {**_seen(sessions, tally), "added_by_load_ms": added_by_load(tally.by_saying, unloaded), **costs}
        if ideal is not None:
            run["overhead_ms"] = overhead(tally.by_saying, ideal)
        runs.append(run)
        print(json.dumps(run), file=sys.stderr)
        p95 = run[by]["p95"]
        if len(runs) > 1 and (p95 is None or p95 > HOPELESS * MOST_MS):
            break
    found: dict[str, Any] = {"runs": runs, "judged_by": by, **carried(runs, by)}
    if ideal is not None:
        found["ideal_ms"] = {name: round(ms, 1) for name, ms in ideal.items()}
        found["by_load"] = carried(runs, "added_by_load_ms")
    return found


async def _ours(work: works.Work, options: argparse.Namespace, sessions: int) -> tuple[Tally, dict[str, Any]]:
    tally, costs = await converse(work, sessions, options)
    return tally, {
        "cores_used": round(costs["cpu_per_session"] * sessions, 2),
        "cores_per_session": by_role(costs["cpu_by_process"]),
        "callers_cores": round(costs["caller_cpu_per_session"] * sessions, 2),
        "pss_mb_per_session": costs["pss_mb_per_session"],
        "load": costs["load"],
    }


async def _theirs(
    framework: frameworks.Framework, options: argparse.Namespace, sessions: int
) -> tuple[Tally, dict[str, Any]]:
    load_before = loadavg()
    tally, before, after = await frameworks.converse(framework, options.peers, sessions, options.seconds)
    others = others_cores(before, after, options.seconds)
    return tally, {
        "cores_used": round((sum(after.cpu_s.values()) - sum(before.cpu_s.values())) / options.seconds, 2),
        "pss_mb_per_session": round(after.pss_mb / sessions, 1),
        "load": {"cores": cores(), "other_processes_cores": others, "loadavg_before": load_before},
    }


def _seen(sessions: int, tally: Tally) -> dict[str, Any]:
    return {
        "sessions": sessions,
        "turns": len(tally.e2e),
        "e2e_ms": percentiles(tally.e2e),
        "barge_in_ms": percentiles(tally.barge_in),
        "lost_turns": tally.lost,
        "late_frames": tally.late_out,
        "frames_out": tally.frames_out,
        "late_frames_in": tally.late_in,
        "frames_in": tally.frames_in,
    }


def _missing(options: argparse.Namespace) -> list[str]:
    there = {framework.name for framework in frameworks.installed(options.peers)}
    absent = [framework.name for framework in frameworks.FRAMEWORKS if framework.name not in there]
    runnable = usable(options.detectors, options.peers)
    return absent + [detector for detector in options.detectors if detector not in runnable]


def _write(path: Path, report: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.full", description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="where the results go")
    parser.add_argument("--sessions", type=_numbers, default=list(SESSIONS), help="ours, rising; few come first")
    parser.add_argument("--peer-sessions", type=_numbers, default=list(PEER_SESSIONS), help="the frameworks'")
    parser.add_argument("--detectors", type=lambda text: text.split(","), default=list(DETECTORS))
    parser.add_argument("--peers", type=Path, default=Path("build/peers"), help="folder given to setup.sh")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="counted in each run, after 6 s of warm-up")
    parser.add_argument("--workers", type=int, default=cores(), help="streaming workers")
    parser.add_argument("--callers", type=int, default=1, help="processes that hold callers")
    parser.add_argument("--log", type=Path, default=None, help="where the processes' warnings go")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
