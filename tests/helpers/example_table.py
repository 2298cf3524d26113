"""A table at the end of ``make examples``: each example, its seconds, and what came of it. A plugin of pytest."""

from __future__ import annotations

from typing import Any


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Write it."""
    stats: dict[str, list[Any]] = terminalreporter.stats
    rows = sorted(
        (_named(report.nodeid), report.duration, outcome)
        for outcome in ("passed", "failed", "skipped")
        for report in stats.get(outcome, ())
        if report.when == "call" or outcome != "passed"
    )
    width = max((len(name) for name, _, _ in rows), default=0)
    terminalreporter.write_sep("=", "examples")
    for name, seconds, outcome in rows:
        terminalreporter.write_line(f"{name:<{width}}  {seconds:6.1f} s  {outcome}")


def _named(node: str) -> str:
    """Return an example's name, or what is tested of it."""
    file, _, test = node.partition("::")
    return test.partition("[")[2].rstrip("]") if "[" in test else f"{file.rpartition('/')[2]}: {test}"
