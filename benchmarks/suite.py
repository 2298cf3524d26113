"""All benchmarks, one after the other: ``python -m benchmarks.suite [--quick]``, which is what ``make bench`` runs."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

OUT = Path("build/bench")
WHOLE: Mapping[str, str] = {
    "transport": "",
    "sessions": "",
    "full": "",
    "turns": "--sessions 10,50,100 --seconds 20",
    "endpointing": "",
    "providers": "",
    "sip": "",
    "routing": "",
    "retention": "",
}
"""Less than 40 minutes, most of it conversations; other frameworks are left out where they are not installed."""
QUICK: Mapping[str, str] = {
    "transport": "--sessions 2,10 --seconds 3 --limit-at 10",
    "sessions": "--at-once 1,5 --samples 10 --asking 2 --idle 5 --seconds 3",
    "full": "--sessions 2 --peer-sessions 2 --seconds 4 --detectors dangling",
    "turns": "--work peers --sessions 2 --seconds 4",
    "providers": "--seconds 0.2",
    "sip": "--calls 5 --seconds 3",
    "routing": "--prefixes 1000 --seconds 0.2",
    "retention": "--quick",
}
"""Less than 3 minutes: whether everything runs. The figures mean nothing."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run them; exits with 1 if one failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.suite", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="only see whether everything runs")
    parser.add_argument("--only", help="some of them, e.g. transport,full")
    parser.add_argument("--out", type=Path, default=OUT, help="folder for the JSON")
    options = parser.parse_args(arguments)
    chosen = QUICK if options.quick else WHOLE
    names = options.only.split(",") if options.only else list(chosen)
    options.out.mkdir(parents=True, exist_ok=True)
    took = {name: _run(name, chosen[name].split(), options.out) for name in names}
    print("\n".join(_summary(options.out, took)))
    if None in took.values():
        raise SystemExit(1)


def _run(name: str, arguments: Sequence[str], out: Path) -> float | None:
    """Return the seconds that a benchmark took, None if it failed."""
    began = time.monotonic()
    print(f"== {name}", flush=True)
    command = [sys.executable, "-m", f"benchmarks.{name}", "--json", str(out / f"{name}.json"), *arguments]
    done = subprocess.run(command, check=False, stderr=subprocess.DEVNULL if name in _TALKATIVE else None)
    return None if done.returncode else time.monotonic() - began


_TALKATIVE = {"full", "turns"}
"""They tell every run on stderr."""


def _summary(out: Path, took: Mapping[str, float | None]) -> list[str]:
    lines = ["== goals"]
    for name, seconds in took.items():
        if seconds is None:
            lines.append(f"{name}: FAILED")
            continue
        report: dict[str, Any] = json.loads((out / f"{name}.json").read_text(encoding="utf-8"))
        goals = report.get("goals", [])
        held = sum(goal["holds"] is True for goal in goals)
        lines.append(f"{name}: {held} of {len(goals)} goals hold; {seconds:.0f} s; {out / name}.json")
    return lines


if __name__ == "__main__":
    main()
