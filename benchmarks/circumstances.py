"""What must be known to believe a figure: versions, the machine, and who else was using it."""

from __future__ import annotations

import os
import platform
import subprocess
from functools import cache
from importlib.metadata import version

from benchmarks.measure import Usage
from voicebackend.embedded.redis_server import find_redis_server


def loadavg() -> float:
    """Return how many processes have been running or waiting in the last minute."""
    return round(os.getloadavg()[0], 2)


def others_cores(before: Usage, after: Usage, seconds: float) -> float:
    """Return the cores that all other processes of this machine used meanwhile."""
    everyone = after.machine_s - before.machine_s
    ours = sum(after.cpu_s.values()) - sum(before.cpu_s.values())
    return round((everyone - ours - (after.callers_s - before.callers_s)) / seconds, 2)


@cache
def versions() -> dict[str, str]:
    """Return the versions of what was measured."""
    redis = subprocess.run([find_redis_server(), "--version"], capture_output=True, text=True, check=True)
    return {
        "voicebackend": version("voicebackend"),
        "commit": _commit(),
        "python": platform.python_version(),
        "redis": next((word[2:] for word in redis.stdout.split() if word.startswith("v=")), "unknown"),
        "machine": f"{platform.system()} {platform.machine()}, {_processor()}",
    }


def _commit() -> str:
    """Return the commit of this checkout, empty if it is none."""
    try:
        told = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return told.stdout.strip()


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as lines:  # noqa: PTH123 - no file of ours
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "unknown"
