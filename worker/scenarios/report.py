"""Tells how scenarios went: a line each, what was not as expected, and a summary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from worker.scenarios.runner import Result


def line(result: Result) -> str:
    """Return the scenario's line."""
    if result.skipped:
        return f"- {result.path}  {result.name} (left out: {result.skipped})"
    mark = "✓" if result.ok else "✗"
    return f"{mark} {result.path}  {result.name} ({_count(result.turns, 'turn')}, {result.seconds:.1f} s)"


def details(result: Result) -> list[str]:
    """Return what was not as expected, and then everything that was seen."""
    return [*(f"    {complaint}" for complaint in result.complaints), "    seen:", *timeline(result)]


def timeline(result: Result) -> list[str]:
    """Return everything that was seen."""
    return [f"      {event}" for event in result.events]


def summary(results: Sequence[Result], took_s: float) -> str:
    """Return the last line."""
    held = [result for result in results if not result.skipped]
    turns, clean = sum(result.turns for result in held), sum(result.without_retry for result in held)
    left_out = f", {len(results) - len(held)} left out" if len(held) < len(results) else ""
    share = f"{clean / turns:.1%}" if turns else "none"
    return (
        f"{_count(len(results), 'scenario')}, {sum(result.ok for result in held)} passed{left_out}, turns {turns}, "
        f"completed without retry {clean} ({share}); {len(held) / max(took_s, 1e-9) * 60:.0f} scenarios a minute"
    )


def to_json(results: Sequence[Result], took_s: float) -> dict[str, Any]:
    """Return everything as plain values."""
    turns = sum(result.turns for result in results)
    return {
        "scenarios": [
            {
                "file": str(result.path),
                "name": result.name,
                "ok": result.ok,
                "skipped": result.skipped,
                "complaints": list(result.complaints),
                "seconds": round(result.seconds, 3),
                "turns": result.turns,
                "without_retry": result.without_retry,
                "events": [{**asdict(event), "kind": str(event.kind)} for event in result.events],
            }
            for result in results
        ],
        "passed": sum(result.ok and not result.skipped for result in results),
        "turns": turns,
        "without_retry": sum(result.without_retry for result in results),
        "took_s": round(took_s, 3),
    }


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
