"""``make fuzz``: tries every bad input and every target, and prints what came of each; it ends with 1 at a find.

``VOICEBACKEND_FUZZ_SECONDS`` is for each target, guided by coverage; drawing takes a quarter of it besides.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from bad_inputs import BadInput, inputs
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build" / "fuzz"
SECONDS = "12"
"""With 47 targets, the whole takes about a quarter of an hour."""
LIMIT_S = 3 * 3600
Case = tuple[str, str, float, bool]
"""File and name of a test, its seconds, and whether it failed."""


def main() -> int:
    """Run the tests, print the tables, and return the exit code."""
    BUILD.mkdir(parents=True, exist_ok=True)
    report, junit = BUILD / "report.jsonl", BUILD / "junit.xml"
    report.unlink(missing_ok=True)
    seconds = os.environ.get("VOICEBACKEND_FUZZ_SECONDS", SECONDS)
    env = {**os.environ, "VOICEBACKEND_FUZZ_SECONDS": seconds, "VOICEBACKEND_FUZZ_REPORT": str(report)}
    options = ["-q", "-n", "2", "--timeout", "1800", "--reruns", "2", "--reruns-delay", "1", f"--junit-xml={junit}"]
    command = [sys.executable, "-m", "pytest", *options, *_nodes()]
    begun = time.monotonic()
    code = subprocess.run(command, cwd=ROOT, env=env, check=False, timeout=LIMIT_S).returncode
    console, cases = Console(width=170), list(_cases(junit))
    console.print(_inputs(cases))
    console.print(_targets(report, cases))
    console.print(f"{time.monotonic() - begun:.0f} s; {sum(failed for *_, failed in cases)} failed")
    return code


def _nodes() -> list[str]:
    """Return what pytest is to run: the tests of every row, and all of this folder."""
    named = {str(test) for row in inputs() for test in row.tests if not test.file.startswith("fuzz/")}
    return ["tests/fuzz", *sorted(f"tests/{test}" for test in named)]


def _cases(junit: Path) -> Iterator[Case]:
    for case in ElementTree.parse(junit).iter("testcase"):  # noqa: S314 - pytest's own
        file = case.get("classname", "").replace(".", "/").removeprefix("tests/") + ".py"
        failed = any(case.find(kind) is not None for kind in ("failure", "error"))
        yield file, case.get("name", ""), float(case.get("time", "0")), failed


def _inputs(cases: list[Case]) -> Table:
    table = Table("no", "input", "tried at", "must be", "tests", "s", "outcome", title="Bad inputs")
    for row in inputs():
        found = [case for case in cases if _is_of(row, case)]
        spent = sum(seconds for _, _, seconds, _ in found)
        outcome = "not run" if not found else "FAILED" if any(failed for *_, failed in found) else "held"
        table.add_row(str(row.number), row.what, row.at, row.outcome, str(len(found)), f"{spent:.1f}", outcome)
    return table


def _is_of(row: BadInput, case: Case) -> bool:
    file, name, _, _ = case
    return any(test.has(file, name) for test in row.tests)


def _targets(report: Path, cases: list[Case]) -> Table:
    table = Table("target", "way", "executions", "s", "outcome", title="Fuzzing")
    lines = report.read_text(encoding="utf-8").splitlines() if report.exists() else []
    for line in sorted(map(json.loads, lines), key=lambda line: (line["target"], line["way"])):
        table.add_row(line["target"], line["way"], f"{line['executions']:,}", f"{line['seconds']}", "no find")
    for file, name, seconds, failed in cases:
        if failed and file.startswith("fuzz/"):
            table.add_row(name, file, "", f"{seconds:.1f}", "FOUND")
    return table


if __name__ == "__main__":
    sys.exit(main())
