"""Sessions created, spoken, interrupted, dropped and reconnected by lot, for a while: what is left of them afterwards.

``make soak`` goes on for 30 minutes (``VOICEBACKEND_SOAK_S``), and prints what was held and what was left. Everybody
who calls says, hears and sends canaries; none of them may stand in a log, span, metric, task or error.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import aiohttp
import pytest
from canaries import hits
from deployment import HELPERS, Site, site
from openai_double import OpenAiDouble
from otlp_collector import Collector
from redis_servers import redis_server
from residue import Monitored, monitored
from soak_agents import ANSWER, PLANTED, PLANTS
from soak_caller import AWAY_S, CANARIES, USER, SoakCaller, Soaked
from soak_report import Report
from soak_vendor import KEY, troubled, voiced
from soak_watch import eternal, files, held, until_over

from voicebackend.cli.stack import free_port

SOAK_S = float(os.environ.get("VOICEBACKEND_SOAK_S", "60"))
LONG = SOAK_S >= 600
SEED = int(os.environ.get("VOICEBACKEND_SOAK_SEED", "1"))
SLOTS = int(os.environ.get("VOICEBACKEND_SOAK_SLOTS", "5"))
"""Sessions that each of two workers takes."""
WORKERS = 2
CALLERS = round(0.8 * SLOTS * WORKERS)
WARM_S = SOAK_S / 3
MORE_MB = 0.05 if LONG else 0.25
"""Share by which memory may have grown since the warm-up; in a minute, allocators and caches still fill."""
MORE_OPEN = 16
"""Files, sockets, threads and tasks of a process that pools may have more: far fewer than there were sessions."""
pytestmark = [pytest.mark.integration, pytest.mark.timeout(SOAK_S * 2 + 900)]


async def test_calls_leave_nothing_behind_and_nothing_they_said(tmp_path: Path) -> None:
    """One run, as it costs minutes: whatever is wrong at its end is told at once."""
    report = await _soaked(tmp_path)
    print(f"\n{report}", file=sys.stderr)  # noqa: T201 - what `make soak` is for
    secrets = [*CANARIES, USER, ANSWER, KEY, report.api_key, *report.tokens(40, Random(SEED))]  # noqa: S311
    assert report.wrong(MORE_OPEN, MORE_MB, secrets) == {}
    planted = {hit.partition(":")[0] for hit in hits([PLANTED], report.places)}
    assert planted == {"logs"}  # the search finds what an application itself logged, there alone


async def _soaked(folder: Path) -> Report:
    report = Report()
    with redis_server() as store, redis_server() as broker:
        urls = {"state_url": store.url, "audio_url": store.url, "broker_url": broker.url}
        async with Collector() as collector, monitored(broker.url) as tasks, OpenAiDouble() as vendor:
            config = {**voiced(vendor), "max_concurrent_sessions": SLOTS}
            async with site(
                config, workers=WORKERS, environment=_environment(collector, folder), redis=urls
            ) as running:
                await running.start("beat", "celery", "-A", "control", "beat")
                async with _callers(running, report.soaked) as callers, troubled(vendor, Random(SEED)):  # noqa: S311
                    await _phases(callers, running, store.url, folder, report)
                report.eternal = eternal({store.url, broker.url})
                report.places["metrics"] = await _metrics(running)
                report.ends = {name: one.returncode for name, one in running.processes.items() if one.returncode}
            report.api_key = running.api_key
            _gather(report, running, collector, tasks)
    return report


def _environment(collector: Collector, folder: Path) -> dict[str, str]:
    first = free_port()
    return {
        "VOICEBACKEND_AGENTS": "soak_agents",
        "VOICEBACKEND_LOG_LEVEL": "DEBUG",
        "VOICEBACKEND_REQUEST_RATE": "1000/s",
        "VOICEBACKEND_METRICS": f"127.0.0.1:{first}-{min(first + 30, 65_535)}",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "PYTHONPATH": f"{HELPERS / 'counted'}:{HELPERS}",
        "TMPDIR": str(folder),
    }


@asynccontextmanager
async def _callers(running: Site, soaked: Soaked) -> AsyncIterator[list[SoakCaller]]:
    randoms = [Random(f"{SEED} {number}") for number in range(CALLERS)]  # noqa: S311 - lots
    async with aiohttp.ClientSession() as http:
        yield [SoakCaller(running.url, running.api_key, http, random, soaked) for random in randoms]


async def _phases(callers: list[SoakCaller], running: Site, url: str, folder: Path, report: Report) -> None:
    """Warm up, then hold the calls that count; each time wait until all is over, and look at what is held."""
    await _hold(callers, WARM_S)
    await until_over(url, timeout_s=AWAY_S * 4)
    report.warm, before = await held(running), files(folder)
    await _hold(callers, SOAK_S - WARM_S)
    await callers[0].say(PLANTS)
    report.left = await until_over(url, timeout_s=AWAY_S * 4)
    report.after, report.files = await held(running), files(folder) - before


async def _hold(callers: list[SoakCaller], seconds: float) -> None:
    over_at = asyncio.get_running_loop().time() + seconds
    async with asyncio.TaskGroup() as group:
        for number, caller in enumerate(callers):
            group.create_task(caller.call_until(over_at), name=f"caller {number}")


async def _metrics(running: Site) -> bytes:
    ports = running.ports()
    told = []
    async with aiohttp.ClientSession() as http:
        for port in ports.values():
            async with http.get(f"http://127.0.0.1:{port}/metrics") as response:
                told.append(await response.read())
    assert len(told) >= WORKERS + 2
    return b"\n".join(told)


def _gather(report: Report, running: Site, collector: Collector, tasks: Monitored) -> None:
    """Put everything that was written down in its place."""
    report.places |= {
        "logs": "\n".join(line for _, line in running.log).encode(),
        "spans": bytes(collector.raw),
        "tasks": bytes(tasks.said),
        "errors": "\n".join(report.soaked.errors).encode(),
    }
