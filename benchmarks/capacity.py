"""From one machine to 100,000 calls: ``python -m benchmarks.capacity [--page docs/capacity.md]``.

Arithmetic on what was measured (``benchmarks/results/*.json``) and on the assumptions named here; the page's table is
what this prints, which a test holds.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from voicebackend.streams import INBOX_WINDOW_S, LANE_WINDOW_S

RESULTS = Path(__file__).with_name("results")
CALLS = (100, 1_000, 10_000, 100_000)
BUSY = 0.5
"""Share of a core that a process may use: the rest is for bursts, and for the calls of a machine that died."""
CORE_HOUR_USD = 0.04
"""Assumed price of a core and 4 GB for an hour."""
PCM_BYTES_S = 32_000
"""Of a caller at 16 kHz, each way."""
FRAME_OVERHEAD_BYTES_S = 50 * 50
"""Of the wire format: 50 bytes a frame, 50 frames a second."""
BEGIN, END = "<!-- capacity: begin -->\n", "<!-- capacity: end -->\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What the benchmarks found, for one session."""

    sessions: int
    """At which it was measured: as many as that machine carried, or the fewest that were tried."""
    cores: Mapping[str, float]
    """Cores that each role used."""
    memory_mb: float
    """Of all our processes."""

    @classmethod
    def read(cls, results: Path) -> Measured:
        """Read ``full.json``; raises OSError or KeyError where it is not there or of another form."""
        report = json.loads((results / "full.json").read_text(encoding="utf-8"))
        system: Mapping[str, Any] = next(iter(report["systems"].values()))
        fewest = min(system["runs"], key=lambda run: int(run["sessions"]))
        run = next((run for run in system["runs"] if run["sessions"] == system["carries"]), fewest)
        return cls(sessions=run["sessions"], cores=run["cores_per_session"], memory_mb=run["pss_mb_per_session"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What so many calls need."""

    calls: int
    gateways: int
    workers: int
    redis_shards: int
    agents: int
    memory_gb: float
    redis_gb: float
    """Of lanes and inboxes."""
    callers_gbit_s: float
    """To and from callers, each way."""
    redis_gbit_s: float
    """Into Redis, and as much out of it."""
    usd_hour: float

    @property
    def cores(self) -> int:
        """Return one for each process."""
        return self.gateways + self.workers + self.redis_shards + self.agents


def plan(calls: int, measured: Measured) -> Plan:
    """Return what so many calls at once need."""

    def processes(role: str) -> int:
        return max(1, math.ceil(calls * measured.cores[role] / BUSY))

    counts = {role: processes(role) for role in ("gateway", "worker", "redis", "agents")}
    frames_s = PCM_BYTES_S + FRAME_OVERHEAD_BYTES_S
    return Plan(
        calls=calls,
        gateways=counts["gateway"],
        workers=counts["worker"],
        redis_shards=counts["redis"],
        agents=counts["agents"],
        memory_gb=calls * measured.memory_mb / 1000,
        redis_gb=calls * frames_s * (LANE_WINDOW_S + INBOX_WINDOW_S) / 1e9,
        callers_gbit_s=calls * PCM_BYTES_S * 8 / 1e9,
        redis_gbit_s=calls * 2 * frames_s * 8 / 1e9,
        usd_hour=sum(counts.values()) * CORE_HOUR_USD,
    )


def table(measured: Measured) -> str:
    """Return the page's tables as Markdown."""
    cores = measured.cores
    plans = [plan(calls, measured) for calls in CALLS]
    rows = {
        "gateways": [f"{it.gateways:,}" for it in plans],
        "workers": [f"{it.workers:,}" for it in plans],
        "Redis shards": [f"{it.redis_shards:,}" for it in plans],
        "Celery workers": [f"{it.agents:,}" for it in plans],
        "cores": [f"{it.cores:,}" for it in plans],
        "memory of our processes, GB": [f"{it.memory_gb:,.1f}" for it in plans],
        "lanes and inboxes, GB": [f"{it.redis_gb:,.2f}" for it in plans],
        "callers, Gbit/s each way": [f"{it.callers_gbit_s:,.2f}" for it in plans],
        "Redis, Gbit/s in and as much out": [f"{it.redis_gbit_s:,.2f}" for it in plans],
        "USD an hour": [f"{it.usd_hour:,.2f}" for it in plans],
        "USD for 1,000 minutes of a call": [f"{it.usd_hour / it.calls / 60 * 1000:,.3f}" for it in plans],
    }
    head = [f"Measured with {measured.sessions} sessions; cores of a session: "]
    head[0] += ", ".join(f"{role} {share:.5f}" for role, share in cores.items()) + f"; memory {measured.memory_mb} MB."
    lines = ["| calls at once | " + " | ".join(f"{calls:,}" for calls in CALLS) + " |", "|---|" + "---|" * len(CALLS)]
    lines += [f"| {what} | " + " | ".join(values) + " |" for what, values in rows.items()]
    return "\n".join([*head, "", *lines]) + "\n"


def with_table(page: str, told: str) -> str:
    """Return the page with this between its marks; raises ValueError without them."""
    begin, end = page.index(BEGIN) + len(BEGIN), page.index(END)
    return page[:begin] + told + page[end:]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, and put it into the page if one is named."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.capacity", description=__doc__)
    parser.add_argument("--results", type=Path, default=RESULTS, help="folder of full.json")
    parser.add_argument("--page", type=Path, help="page to put the table into")
    options = parser.parse_args(arguments)
    told = table(Measured.read(options.results))
    print(told)
    if options.page:
        page = options.page.read_text(encoding="utf-8")
        options.page.write_text(with_table(page, told), encoding="utf-8")


if __name__ == "__main__":
    main()
