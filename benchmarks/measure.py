"""What processes cost, as the operating system counts it, and percentiles of what callers saw."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import psutil

ROLES = {"control": "gateway", "worker": "worker", "redis": "redis", "celery": "agents"}
"""What a process of ``stack.running`` is for, by its name before any number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """At one moment: CPU seconds so far, and memory in decimal MB."""

    cpu_s: Mapping[str, float]
    """By process, user and system, all its threads."""
    callers_s: float
    """Of the callers' processes."""
    machine_s: float
    """Of everything on this machine."""
    rss_mb: float
    pss_mb: float


def usage(ours: Mapping[str, int], callers: Iterable[int]) -> Usage:
    """Look at our processes, by name, and at the callers'; children count with their parents."""
    trees = {name: _tree(pid) for name, pid in ours.items()}
    everyone = [process for tree in trees.values() for process in tree]
    memory = [process.memory_full_info() for process in everyone]
    return Usage(
        cpu_s={name: sum(map(_cpu_s, tree)) for name, tree in trees.items()},
        callers_s=sum(_cpu_s(process) for pid in callers for process in _tree(pid)),
        machine_s=_busy_s(),
        rss_mb=sum(found.rss for found in memory) / 1e6,
        pss_mb=sum(getattr(found, "pss", found.rss) for found in memory) / 1e6,
    )


def by_role(by_process: Mapping[str, float]) -> dict[str, float]:
    """Add up what processes of ours spent, by what they are for."""
    found = dict.fromkeys(ROLES.values(), 0.0)
    for name, spent in by_process.items():
        found[ROLES[name.partition("-")[0]]] += spent
    return {role: round(spent, 5) for role, spent in found.items()}


def percentiles(values: Sequence[float], less: float = 0.0, digits: int = 1) -> dict[str, float | None]:
    """Return p50, p95 and p99 by nearest rank, each less a constant; None where nothing was measured."""
    ranked = sorted(values)

    def at(share: float) -> float | None:
        return round(ranked[max(math.ceil(share * len(ranked)) - 1, 0)] - less, digits) if ranked else None

    return {"p50": at(0.50), "p95": at(0.95), "p99": at(0.99)}


def cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _tree(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


def _busy_s() -> float:
    times = psutil.cpu_times()
    return float(sum(times[:8]) - times.idle - getattr(times, "iowait", 0.0))
