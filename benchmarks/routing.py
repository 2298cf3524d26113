"""Where calls go, by a large table: ``python -m benchmarks.routing --json FILE``; see the README beside this.

How long a look-up and a whole decision take, how long a table takes to load, and how long an event loop beside that
has to wait: a table is changed while calls go on.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from benchmarks.circumstances import loadavg, versions
from benchmarks.goals import Goal
from control.telephony.routing.decision import Call
from control.telephony.routing.numbers import normalised
from control.telephony.routing.snapshot import Snapshot
from control.telephony.routing.table import RoutingTable

T = TypeVar("T")

PREFIXES = 100_000
CALLS = 5000
"""Different calls; more numbers than are remembered."""
LOOK_UP_US = 50.0
"""What a look-up may take."""
TICK_S = 0.01
SEED = 7


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.routing", description=__doc__)
    parser.add_argument("--json", type=Path, help="where the figures go")
    parser.add_argument("--prefixes", type=int, default=PREFIXES)
    parser.add_argument("--seconds", type=float, default=2.0, help="for look-ups, and as many for decisions")
    options = parser.parse_args()
    report = measured(options.prefixes, options.seconds)
    if options.json:
        options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    for name, figure in report["figures"].items():
        print(f"{name}: {figure}")
    print(*(Goal.line(goal) for goal in report["goals"]), sep="\n")


def measured(prefixes: int, seconds: float) -> dict[str, Any]:
    """Return the report."""
    chance = random.Random(SEED)  # noqa: S311 - the same numbers each time
    data = _table(sorted(_prefixes(chance, prefixes)))
    snapshot, load_s, lag_s = asyncio.run(_loaded(data))
    asked = [Call(id=str(at), called=f"+1{_digits(chance, 10)}", caller="+12025550111") for at in range(CALLS)]
    numbers = [(normalised(call.called, "US").e164, normalised(call.caller, "US").e164) for call in asked]
    now = datetime.now(UTC)
    figures = {
        "prefixes": prefixes,
        "look_up_us": _us(numbers, lambda pair: next(snapshot.routes.find(*pair), None), seconds),
        "decision_us": _us(asked, lambda call: snapshot.decide(call, when=now), seconds),
        "load_s": round(load_s, 2),
        "loop_wait_ms": round(lag_s * 1000),
    }
    goal = Goal(f"microseconds to look a call up among {prefixes} prefixes", figures["look_up_us"], LOOK_UP_US)
    circumstances = {**versions(), "loadavg": loadavg()}
    return {"figures": figures, "goals": [goal.to_dict()], "circumstances": circumstances}


def _us(items: Sequence[T], do: Callable[[T], object], seconds: float) -> float:
    """Return the microseconds that this takes, over all items in turn for so many seconds."""
    count, began = 0, time.perf_counter()
    while (passed := time.perf_counter() - began) < seconds:
        for item in items:
            do(item)
        count += len(items)
    return round(passed / count * 1e6, 1)


async def _loaded(data: dict[str, Any]) -> tuple[Snapshot, float, float]:
    """Return the compiled table, the seconds that took, and the longest that the event loop waited meanwhile."""
    waits: list[float] = []
    ticking = asyncio.create_task(_tick(waits), name="tick")
    gc.disable()  # as control does while it reads a table
    began = time.perf_counter()
    snapshot = await asyncio.to_thread(lambda: Snapshot(RoutingTable.of(data)))
    took = time.perf_counter() - began
    await asyncio.sleep(2 * TICK_S)
    gc.freeze()
    gc.enable()
    ticking.cancel()
    return snapshot, took, max(waits)


async def _tick(waits: list[float]) -> None:
    while True:
        before = time.perf_counter()
        await asyncio.sleep(TICK_S)
        waits.append(time.perf_counter() - before - TICK_S)


def _table(prefixes: list[str]) -> dict[str, Any]:
    use = [{"to": [{"target": "a", "weight": 3}, {"target": "b"}]}]
    routes = [{"id": f"r{at}", "match": {"called": [prefix]}, "use": use} for at, prefix in enumerate(prefixes)]
    return {"version": 1, "targets": {"a": {"provider": "mock"}, "b": {"provider": "mock"}}, "routes": routes}


def _prefixes(chance: random.Random, count: int) -> Iterator[str]:
    """Yield different prefixes of numbers in North America."""
    seen: set[str] = set()
    while len(seen) < count:
        prefix = f"+1{_digits(chance, chance.randint(3, 9))}*"
        if prefix not in seen:
            seen.add(prefix)
            yield prefix


def _digits(chance: random.Random, count: int) -> str:
    return chance.choice("23456789") + "".join(chance.choices("0123456789", k=count - 1))


if __name__ == "__main__":
    main()
