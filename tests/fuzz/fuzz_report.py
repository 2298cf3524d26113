"""What was fuzzed, a line of JSON each, for the table that ``make fuzz`` prints."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

SECONDS = float(os.environ.get("VOICEBACKEND_FUZZ_SECONDS", "0"))
"""For each target; 0 is the short form."""
ONCE = pytest.mark.flaky(reruns=0)
"""A find is told: the next try would draw other inputs."""
_PATH = os.environ.get("VOICEBACKEND_FUZZ_REPORT", "")


def note(way: str, target: str, executions: int, seconds: float) -> None:
    """Write down that a target was tried in some way, without a find."""
    if _PATH:
        line = json.dumps({"way": way, "target": target, "executions": executions, "seconds": round(seconds, 1)})
        with Path(_PATH).open("a", encoding="utf-8") as report:
            report.write(line + "\n")
