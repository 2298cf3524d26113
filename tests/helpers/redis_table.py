"""Prints what callers heard of each fault: the worst of all rounds."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


def worst(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a row for each fault: calls of all rounds together, else the largest number of any."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        known = found.setdefault(row["fault"], {**row, "calls": 0, "calls_lost": 0})
        for name, value in row.items():
            if name.startswith("calls"):
                known[name] += value
            elif name != "fault":
                known[name] = -1 if -1 in {known[name], value} else max(known[name], value)
    return list(found.values())


def main(path: Path) -> None:
    """Print the table."""
    rows = worst([json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()])
    table = Table()
    for name in rows[0]:
        table.add_column(name.replace("_", " "), justify="left" if name == "fault" else "right")
    for row in sorted(rows, key=lambda row: str(row["fault"])):
        table.add_row(*map(str, row.values()))
    Console(width=140).print(table)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
