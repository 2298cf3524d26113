"""A day's calls, counted by what became of them, and the report that is made of the counts. Pure.

A count is a field of a hash: what it counts and what of, with ``|`` between; no name in a table has that in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

KEEP_S = 40 * 24 * 3600
"""Seconds for which a day's counts are kept."""
SETUP_MS = (25, 50, 75, 100, 150, 200, 300, 400, 500, 750, 1000, 1500, 2000, 3000, 5000, 7000, 10_000)
"""Times to set up a call are counted up to these, in ms."""
PERCENT = 0.95
SEALED = "sealed"
"""The field that has the report of a day, once it is written."""


def day_of(now: float) -> str:
    """Return the day of a time (seconds since the epoch), UTC."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%d")


def taken(trunk: str, route: str, target: str, *, setup_s: float) -> dict[str, int]:
    """Return what a call counts that was given a session within this time."""
    ms = next((limit for limit in SETUP_MS if setup_s * 1000 <= limit), SETUP_MS[-1])
    return {f"call|{trunk}|{route}|{target}|taken": 1, f"setup|{ms}": 1}


def refused(trunk: str, route: str, *, code: int, reason: str) -> dict[str, int]:
    """Return what a call counts that was refused."""
    return {f"refused|{trunk}|{route}|{code}|{reason}": 1}


def ended(trunk: str, route: str, target: str, *, outcome: str, seconds: float) -> dict[str, int]:
    """Return what the end of a call counts; ``outcome`` is ``ended`` or ``failed``."""
    about = f"{trunk}|{route}|{target}"
    return {f"call|{about}|{outcome}": 1, f"ms|{about}": max(0, round(seconds * 1000))}


def report(day: str, counts: Mapping[str, int]) -> dict[str, Any]:
    """Return a day's report: the same for the same counts."""
    calls: dict[tuple[str, ...], dict[str, int]] = defaultdict(dict)
    refusals: list[dict[str, Any]] = []
    setup: dict[int, int] = {}
    for name, number in sorted(counts.items()):
        match name.split("|"):
            case ["call", trunk, route, target, outcome]:
                calls[trunk, route, target][outcome] = number
            case ["ms", trunk, route, target]:
                calls[trunk, route, target]["ms"] = number
            case ["refused", trunk, route, code, reason]:
                refusals.append({"trunk": trunk, "route": route, "code": int(code), "reason": reason, "calls": number})
            case ["setup", ms]:
                setup[int(ms)] = number
    lines = [_line(about, found) for about, found in sorted(calls.items())]
    return {
        "day": day,
        "calls": sum(line["taken"] for line in lines),
        "refused": sum(line["calls"] for line in refusals),
        "minutes": round(sum(line["minutes"] for line in lines), 2),
        "setup_p95_ms": _percentile(setup),
        "taken": lines,
        "refusals": refusals,
    }


def _line(about: tuple[str, ...], found: Mapping[str, int]) -> dict[str, Any]:
    trunk, route, target = about
    outcomes = {name: found.get(name, 0) for name in ("taken", "ended", "failed")}
    minutes = round(found.get("ms", 0) / 60_000, 2)
    return {"trunk": trunk, "route": route, "target": target, **outcomes, "minutes": minutes}


def _percentile(setup: Mapping[int, int]) -> int | None:
    """Return the time within which 95 of 100 calls were set up, as exactly as it was counted."""
    wanted, seen = PERCENT * sum(setup.values()), 0
    for ms, number in sorted(setup.items()):
        seen += number
        if seen >= wanted:
            return ms
    return None
