"""What the whole pipeline carries, as goals and as the table that a person reads. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.capacity_search import MOST_MS
from benchmarks.goals import Goal

GOAL = 100
DEFAULT = "dangling"
"""The turn detector that a deployment has unless it names another."""


def goals(report: Mapping[str, Any]) -> list[Goal]:
    """Return what is asked of the default turn detector."""
    ours = report["systems"].get(f"voicebackend, {DEFAULT}")
    if ours is None:
        return []
    return [Goal(f"sessions with an overhead of at most {MOST_MS:g} ms (p95)", ours["carries"], GOAL, least=True)]


def table(report: Mapping[str, Any]) -> str:
    """Return what was found as lines."""
    head = f"{'':26}sessions  e2e p50 / p95 ms  overhead p95  load adds p95  cores  lost  late frames"
    lines = [head]
    for name, system in report["systems"].items():
        lines += [_row(name, run) for run in system["runs"]]
        lines.append(f"{name:26}{_carried(system)}")
    lines += [f"not installed, so not measured: {', '.join(report['missing'])}"] if report["missing"] else []
    return "\n".join([*lines, *(Goal.line(goal) for goal in report["goals"])])


def _carried(system: Mapping[str, Any]) -> str:
    """Say what is carried: for ours by the whole overhead, and as for the others by what load adds."""
    told = f"carries {system['carries']} sessions, {system['sessions_per_core']} a core"
    by_load = system.get("by_load")
    return (
        f"{told}; judged as the others, {by_load['carries']}, {by_load['sessions_per_core']} a core"
        if by_load
        else told
    )


def _row(name: str, run: Mapping[str, Any]) -> str:
    def at(of: str, share: str) -> str:
        value = run.get(of, {}).get(share)
        return "-" if value is None else f"{value:.0f}"

    e2e = f"{at('e2e_ms', 'p50')} / {at('e2e_ms', 'p95')}"
    return (
        f"{name:26}{run['sessions']:8}{e2e:>18}{at('overhead_ms', 'p95'):>14}{at('added_by_load_ms', 'p95'):>15}"
        f"{run['cores_used']:7.2f}{run['lost_turns']:6}{run['late_frames']:13}"
    )
