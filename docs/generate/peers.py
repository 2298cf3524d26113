"""What was measured of other frameworks, from ``benchmarks/results``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from generate.markdown import table

_RESULTS = Path(__file__).parents[2] / "benchmarks" / "results" / "full.json"


def page() -> str:
    """Return the run with the fewest sessions of each system."""
    head = ["", "answer p50 / p95 ms", "barge-in p50 / p95 ms", "turns", "cores used", "cores that others used"]
    return table(head, _rows())


def _rows() -> Iterator[tuple[object, ...]]:
    for name, system in json.loads(_RESULTS.read_text(encoding="utf-8"))["systems"].items():
        first = min(system["runs"], key=lambda run: run["sessions"])
        answer, barge_in = (f"{first[key]['p50']:.0f} / {first[key]['p95']:.0f}" for key in ("e2e_ms", "barge_in_ms"))
        yield name, answer, barge_in, first["turns"], first["cores_used"], first["load"]["other_processes_cores"]
