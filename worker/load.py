"""How loaded this process is: how late its event loop wakes, its share of the CPU, its memory."""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from voicebackend.telemetry import loop_lag_seconds

SAMPLE_S = 0.05
"""Seconds between samples of the event loop's lag."""
WINDOW_S = 10.0
"""Seconds of samples that the 95th percentile is of."""
LAG_CLOSES_MS = 50.0
"""p95 of event-loop lag above which a worker takes no new sessions."""
LAG_OPENS_MS = 30.0
"""p95 of event-loop lag below which it takes them again."""
_STATM = Path("/proc/self/statm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The load of a process."""

    lag_ms: float
    """Lag of the event loop, 95th percentile over the last 10 s."""
    cpu: float
    """Cores it used since it was measured before."""
    rss_mb: float
    """Resident memory, in 10^6 bytes."""
    admitting: bool
    """Whether the event loop wakes in time enough for one session more."""


class Load:
    """Samples the event loop while ``run`` runs. Until a window is full, what is not measured counts as in time."""

    def __init__(self) -> None:
        size = round(WINDOW_S / SAMPLE_S)
        self._lags = deque([0.0] * size, maxlen=size)
        self._admitting = True
        self._cpu_s, self._at = time.process_time(), time.monotonic()

    async def run(self) -> None:
        """Sample until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + SAMPLE_S
            await asyncio.sleep(SAMPLE_S)
            self.add(max(0.0, loop.time() - due))

    def add(self, lag_s: float) -> None:
        """Take a sample, and one for each that a blocked loop left out: a long block is many late wakes, not one."""
        loop_lag_seconds.record(lag_s)
        missed = min(int(lag_s / SAMPLE_S), len(self._lags))
        self._lags.extend(lag_s - SAMPLE_S * number for number in range(missed + 1))

    @property
    def lag_ms(self) -> float:
        """Return the 95th percentile of the lag over the last 10 s."""
        return sorted(self._lags)[round(0.95 * (len(self._lags) - 1))] * 1000

    @property
    def admitting(self) -> bool:
        """Tell whether it took new sessions when it was measured last."""
        return self._admitting

    def measure(self, *, idle: bool) -> Measured:
        """Return the load now; the CPU since the call before. ``idle``: the process has no session."""
        cpu_s, at = time.process_time(), time.monotonic()
        share = (cpu_s - self._cpu_s) / (at - self._at) if at > self._at else 0.0
        self._cpu_s, self._at = cpu_s, at
        lag_ms = self.lag_ms
        self._admitting = admits(lag_ms, self._admitting, idle=idle)
        return Measured(lag_ms=lag_ms, cpu=share, rss_mb=rss_mb(), admitting=self._admitting)


def rss_mb() -> float:
    """Return this process's resident memory in 10^6 bytes; where there is no /proc, the most it ever was."""
    try:
        return int(_STATM.read_text().split()[1]) * resource.getpagesize() / 1e6
    except OSError:
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def admits(lag_p95_ms: float, admitting: bool, *, idle: bool) -> bool:
    """Tell whether a worker takes new sessions, by p95 of its event loop's lag and whether it took them so far.

    One that has none takes one: it is not its own work that holds it up, and a call that stutters is better than none.
    """
    if idle:
        return True
    return lag_p95_ms <= LAG_CLOSES_MS if admitting else lag_p95_ms < LAG_OPENS_MS
