"""Which of transport's goals hold, and the table that a person reads. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.goals import Goal

AT, UNDER_LOAD = 100, 400
NO_ROOM_PCT = 1.0
"""Percent of frames that the generator may send late; beyond, what it measures is itself."""


def judge(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return each goal that these runs can judge."""
    by_sessions = {run["sessions"]: run for run in runs}
    goals: list[Goal] = []
    if AT in by_sessions:
        goals += _at_100(by_sessions[AT])
    if UNDER_LOAD in by_sessions:
        run = by_sessions[UNDER_LOAD]
        room = run["load"]["generator_late_pct"] < NO_ROOM_PCT
        why = "" if room else "the generator had no room: more cores, or --generators"
        goals += [
            Goal("added p50 at 400 sessions, ms", run["added_ms"]["p50"], 8.0, why=why),
            Goal("added p99 at 400 sessions, ms", run["added_ms"]["p99"], 40.0, why=why),
            Goal("frames lost at 400 sessions", run["lost"], 0, why=why),
        ]
    if len(runs) > 1:
        goals.append(_falls(runs))
    return [goal.to_dict() for goal in goals]


def _at_100(run: Mapping[str, Any]) -> list[Goal]:
    return [
        Goal("added p50 at 100 sessions, ms", run["added_ms"]["p50"], 8.0),
        Goal("added p99 at 100 sessions, ms", run["added_ms"]["p99"], 20.0),
        Goal("frames lost at 100 sessions", run["lost"], 0),
        Goal("frames late by 20 ms at 100 sessions, %", run["late_pct"], 0.1),
        Goal("CPU at 100 sessions, times the bare echo's", _times_bare(run), 4.0),
    ]


def _times_bare(run: Mapping[str, Any]) -> float | None:
    bare = run["bare_echo"]["us_per_frame"]
    return round(sum(run["cpu_us_per_frame"].values()) / bare, 2) if bare else None


def _falls(runs: Sequence[Mapping[str, Any]]) -> Goal:
    """Cost of a frame with the most sessions against that with the fewest."""
    ranked = sorted(runs, key=lambda run: int(run["sessions"]))
    first, last = (sum(run["cpu_us_per_frame"].values()) for run in (ranked[0], ranked[-1]))
    what = f"CPU a frame at {ranked[-1]['sessions']} sessions, times that at {ranked[0]['sessions']}"
    return Goal(what, round(last / first, 2) if first else None, 1.0)


def table(report: Mapping[str, Any]) -> str:
    """Return runs, limits and goals as lines."""
    head = "sessions  added p50/p99 ms  lost  late %  gateway + worker + redis us  bare echo us  generator late %"
    lines = [head, *map(_row, report["runs"])]
    limits = report["limits"]
    lines.append(f"a C program in the worker's place: {limits['c_reader_us_per_frame']} us a frame")
    return "\n".join(lines + [Goal.line(goal) for goal in report["goals"]])


def _row(run: Mapping[str, Any]) -> str:
    added = " / ".join(_ms(run["added_ms"][at]) for at in ("p50", "p99"))
    cpu = " + ".join(f"{run['cpu_us_per_frame'][name]:.1f}" for name in ("gateway", "worker", "redis"))
    bare, late = run["bare_echo"]["us_per_frame"], run["load"]["generator_late_pct"]
    return f"{run['sessions']:8}{added:>18}{run['lost']:6}{run['late_pct']:8.3f}{cpu:>29}{bare:14.1f}{late:18.2f}"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"
