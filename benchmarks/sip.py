"""Telephone calls by SIP, many at once: ``python -m benchmarks.sip --json FILE``; see the README beside this.

Telephones call, talk without a break, and hear themselves: provider ``echo`` sends every frame back. When each packet
came is told by the kernel. Beside it, in the same seconds, a bare asyncio pacer sends as many streams of its own.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import socket
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import fmean
from typing import Any

import yaml

from benchmarks import stack
from benchmarks.circumstances import loadavg, others_cores, versions
from benchmarks.goals import Goal
from benchmarks.measure import by_role, cores, percentiles, usage
from benchmarks.processes import Window, processes, shares
from benchmarks.sip_call import HOST
from benchmarks.sip_callers import Heard, Task, pace, telephone, total

CALLS, SECONDS, WARM_UP_S = 50, 20.0, 3.0
MOST_TIMES_BARE = 1.5
NO_ROOM_PCT = 1.0
"""Percent of packets that the telephones may send late; beyond, silence is theirs."""
BUSY_CORES = 0.3
"""Cores that everything else may use; beyond, packets wait for the work of others, and not all equally long."""
_CALLED = "+14155550123"
_OPEN_S, _END_S, _LEAD_S = 60.0, 60.0, 0.3
_CONFIG = {"provider": "echo", "max_concurrent_sessions": 0}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for."""
    options = _options(arguments)
    report: dict[str, Any] = {"circumstances": {**versions(), "cores": cores(), "loadavg_before": loadavg()}}
    report["runs"] = [asyncio.run(measure(calls, options)) for calls in options.calls]
    report["goals"] = [goal.to_dict() for run in report["runs"] for goal in goals(run)]
    options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(table(report))


async def measure(calls: int, options: argparse.Namespace) -> dict[str, Any]:
    """Return one run of so many calls."""
    port = _free_port()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as callers:
        environment = {"VOICEBACKEND_TELEPHONY": str(_telephony(Path(folder), port))}
        async with stack.running(
            _CONFIG, workers=options.workers, log=options.log, environment=environment
        ) as deployment:
            tasks = [
                Task(calls=share, target=(HOST, port), called=_CALLED) for share in shares(calls, options.generators)
            ]
            phones = callers.enter_context(processes(telephone, tasks))
            through = await phones.answers(_OPEN_S)
            bare = callers.enter_context(processes(pace, [[one for _, ports in through for one in ports]]))
            await bare.answers(_OPEN_S)
            start = time.monotonic() + _LEAD_S
            window = Window(start=start, count_from=start + WARM_UP_S, until=start + WARM_UP_S + options.seconds)
            phones.tell(window)
            bare.tell(window)
            await asyncio.sleep(window.count_from - time.monotonic())
            before = usage(deployment.pids, [*phones.pids, *bare.pids])
            await asyncio.sleep(window.until - time.monotonic())
            after = usage(deployment.pids, [*phones.pids, *bare.pids])
            heard = await phones.answers(_END_S)
            await bare.answers(_END_S)
    spent = {name: (after.cpu_s[name] - before.cpu_s[name]) / options.seconds / calls for name in after.cpu_s}
    return {
        "calls": calls,
        "seconds": options.seconds,
        "set_up_ms": percentiles([s * 1000 for took_s, _ in through for s in took_s]),
        **_heard(total(ours for ours, _ in heard), total(bare for _, bare in heard)),
        "cpu_per_call": round(sum(spent.values()), 5),
        "cpu_per_call_by_role": by_role(spent),
        "rss_mb": round(after.rss_mb, 1),
        "load": {
            "other_processes_cores": others_cores(before, after, options.seconds),
            "callers_cores": round((after.callers_s - before.callers_s) / options.seconds, 2),
        },
    }


def _heard(ours: Heard, bare: Heard) -> dict[str, Any]:
    """Return what came, ours beside the bare pacer's."""
    gaps, bare_gaps = (percentiles(one.gaps_ms, digits=3) for one in (ours, bare))
    return {
        "rtp_out": {
            "packets": ours.packets,
            "lost": ours.lost,
            "silent_pct": _percent(ours.silent, ours.packets),
            "mean_gap_ms": _mean(ours),
            "gap_ms": gaps,
        },
        "bare_pacer": {"packets": bare.packets, "mean_gap_ms": _mean(bare), "gap_ms": bare_gaps},
        "p99_times_bare": round(gaps["p99"] / bare_gaps["p99"], 3) if gaps["p99"] and bare_gaps["p99"] else None,
        "sent_late_pct": _percent(ours.sent_late, ours.sent),
    }


def goals(run: Mapping[str, Any]) -> list[Goal]:
    """Return what must hold of a run."""
    out, load = run["rtp_out"], run["load"]
    busy = f"something else used {load['other_processes_cores']} cores"
    why = busy if load["other_processes_cores"] > BUSY_CORES else ""
    late = "the telephones had no room" if run["sent_late_pct"] > NO_ROOM_PCT else why
    off, at = None if out["mean_gap_ms"] is None else round(abs(out["mean_gap_ms"] - 20.0), 3), f"{run['calls']} calls"
    return [
        Goal(
            f"p99 gap between RTP packets at {at}, times a bare pacer's",
            run["p99_times_bare"],
            MOST_TIMES_BARE,
            why=why,
        ),
        Goal(f"mean gap at {at}, ms off 20", off, 0.05, why=why),
        Goal(f"RTP packets lost at {at}", out["lost"], 0),
        Goal(f"packets of silence at {at}, %", out["silent_pct"], 0.1, why=late),
    ]


def table(report: Mapping[str, Any]) -> str:
    """Return runs and goals as lines."""
    lines = ["calls  set-up p50/p95 ms  gap mean/p99 ms  bare mean/p99 ms  silent %  CPU a call"]
    for run in report["runs"]:
        out, bare, took = run["rtp_out"], run["bare_pacer"], run["set_up_ms"]
        lines.append(
            f"{run['calls']:5}  {took['p50']:>9} / {took['p95']:<6}"
            f"{out['mean_gap_ms']:>8} / {out['gap_ms']['p99']:<8}{bare['mean_gap_ms']:>7} / {bare['gap_ms']['p99']:<8}"
            f"{out['silent_pct']:>7}   {100 * run['cpu_per_call']:.2f} % {run['cpu_per_call_by_role']}"
        )
    return "\n".join([*lines, *map(Goal.line, report["goals"])])


def _mean(heard: Heard) -> float | None:
    return round(fmean(heard.gaps_ms), 3) if heard.gaps_ms else None


def _percent(part: int, whole: int) -> float:
    return round(100 * part / max(1, whole), 3)


def _telephony(folder: Path, port: int) -> Path:
    """Write the settings of a trunk that is this machine, all of whose calls hear themselves; return the file."""
    settings = {
        "sip": {"listen": [f"udp:{HOST}:{port}"], "max_calls": 1000, "invites_per_second": 1000},
        "trunks": {"line": {"carrier": "sip", "networks": ["127.0.0.0/8"]}},
        "routes": {
            "version": 1,
            "targets": {"echo": {"provider": "echo"}},
            "routes": [{"id": "all", "use": [{"to": [{"target": "echo"}]}]}],
        },
    }
    path = folder / "telephony.yaml"
    path.write_text(yaml.safe_dump(settings), encoding="utf-8")
    return path


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as found:
        found.bind((HOST, 0))
        return int(found.getsockname()[1])


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sip", description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="where the figures go")
    parser.add_argument(
        "--calls", type=lambda text: [int(number) for number in text.split(",")], default=[CALLS], help="e.g. 10,50"
    )
    parser.add_argument("--seconds", type=float, default=SECONDS, help="counted, of each run")
    parser.add_argument("--workers", type=int, default=1, help="streaming workers")
    parser.add_argument("--generators", type=int, default=1, help="processes of telephones")
    parser.add_argument("--log", type=Path, help="where the processes' warnings go")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()
