"""Tells how scenarios went: a line each, what was not as expected, and a summary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from worker.scenarios.outcome import Outcome, total
from worker.scenarios.runner import Result


def line(result: Result) -> str:
    """Return the scenario's line."""
    if result.skipped:
        return f"- {result.path}  {result.name} (left out: {result.skipped})"
    mark = "✓" if result.ok else "✗"
    return f"{mark} {result.path}  {result.name} ({_count(result.outcome.turns, 'turn')}, {result.seconds:.1f} s)"


def details(result: Result) -> list[str]:
    """Return what was not as expected, and then everything that was seen."""
    return [*(f"    {complaint}" for complaint in result.complaints), "    seen:", *timeline(result)]


def timeline(result: Result) -> list[str]:
    """Return everything that was seen."""
    return [f"      {event}" for event in result.events]


def summary(results: Sequence[Result], took_s: float) -> str:
    """Return the last line."""
    held = [result for result in results if not result.skipped]
    all_turns = total(result.outcome for result in held)
    left_out = f", {len(results) - len(held)} left out" if len(held) < len(results) else ""
    as_scripted = f" ({all_turns.as_scripted} failed as scripted)" if all_turns.as_scripted else ""
    share = "none" if all_turns.share is None else f"{all_turns.share:.1%}"
    return (
        f"{_count(len(results), 'scenario')}, {sum(result.ok for result in held)} passed{left_out}, "
        f"turns {all_turns.turns}{as_scripted}, completed without retry {all_turns.without_retry} ({share}); "
        f"{len(held) / max(took_s, 1e-9) * 60:.0f} scenarios a minute"
    )


def to_json(results: Sequence[Result], took_s: float) -> dict[str, Any]:
    """Return everything as plain values."""
    return {
        "scenarios": [
            {
                "file": str(result.path),
                "name": result.name,
                "ok": result.ok,
                "skipped": result.skipped,
                "complaints": list(result.complaints),
                "seconds": round(result.seconds, 3),
                **_turns(result.outcome),
                "events": [{**asdict(event), "kind": str(event.kind)} for event in result.events],
            }
            for result in results
        ],
        "passed": sum(result.ok and not result.skipped for result in results),
        **_turns(total(result.outcome for result in results)),
        "took_s": round(took_s, 3),
    }


def _turns(outcome: Outcome) -> dict[str, int | float | None]:
    return {
        "turns": outcome.turns,
        "failed_as_scripted": outcome.as_scripted,
        "completed": outcome.completed,
        "retries": outcome.retries,
        "without_retry": outcome.without_retry,
        "share": outcome.share,
    }


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
