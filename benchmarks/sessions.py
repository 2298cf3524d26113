"""What it takes to begin, to ask an agent, and to wait: ``python -m benchmarks.sessions --json FILE``.

How long a session takes to be ready, many at once; how long a question takes through Celery to an agent that answers at
once; what an idle session holds in the worker's memory.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks import stack, turns, works
from benchmarks.circumstances import loadavg, others_cores, versions
from benchmarks.goals import Goal
from benchmarks.line import call
from benchmarks.measure import cores, percentiles, usage
from benchmarks.speech import FRAME_S, quiet

AT_ONCE = (1, 20, 100)
SAMPLES, MIN_ROUNDS = 100, 3
"""Sessions of each number at once, and how often that number is asked for at least."""
ASKING, IDLE = 50, 200
SECONDS = 30.0
_KNOWN = 20
"""Idle sessions before those that are counted: what is loaded with the first is not theirs."""
_QUIET_S = 1.0
_OPENING = 10
_PAUSE_S = 0.3
_READY = {"ready", "active"}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for."""
    options = _options(arguments)
    report: dict[str, Any] = {"circumstances": {**versions(), "cores": cores(), "loadavg_before": loadavg()}}
    report["creation"] = asyncio.run(creation(options))
    report["agent_turn"] = asyncio.run(agent_turn(options))
    report["idle"] = asyncio.run(idle(options))
    report["goals"] = [goal.to_dict() for goal in _goals(report)]
    options.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(table(report))


async def creation(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Return, for each number of sessions asked for at once, how long they took from POST to ready."""
    config = {**works.works()[1].config, "max_concurrent_sessions": 0}
    found = []
    async with stack.running(config, workers=options.workers, log=options.log) as deployment, _client() as client:
        await _round(client, deployment, 1)  # what is loaded with the first is not theirs
        for at_once in options.at_once:
            rounds = max(MIN_ROUNDS, options.samples // at_once)
            before, began, times = usage(deployment.pids, ()), time.monotonic(), list[float]()
            for _ in range(rounds):
                times += await _round(client, deployment, at_once)
                await asyncio.sleep(_PAUSE_S)
            after = usage(deployment.pids, ())
            spent = {name: after.cpu_s[name] - before.cpu_s[name] for name in after.cpu_s}
            found.append(
                {
                    "at_once": at_once,
                    "rounds": rounds,
                    "sessions": len(times),
                    "not_ready": at_once * rounds - len(times),
                    "ready_ms": percentiles(times),
                    "cpu_ms_by_process": {name: round(cpu * 1000 / at_once / rounds, 1) for name, cpu in spent.items()},
                    "other_processes_cores": others_cores(before, after, time.monotonic() - began),
                }
            )
    return found


async def _round(client: aiohttp.ClientSession, deployment: stack.Running, at_once: int) -> list[float]:
    """Ask for so many sessions at once; return the milliseconds of those that became ready, and end them."""
    answers = await asyncio.gather(*(_create(client, deployment, number) for number in range(at_once)))
    headers = _headers(deployment)
    for session, _ in answers:
        if session:
            async with client.delete(f"{deployment.url}/v1/sessions/{session}", headers=headers) as response:
                await response.read()
    return [took_ms for _, took_ms in answers if took_ms is not None]


async def _create(client: aiohttp.ClientSession, deployment: stack.Running, number: int) -> tuple[str, float | None]:
    """Return a new session's id, and how long it took to be ready; an empty id if it was refused."""
    body = {"user_id": f"caller-{number}", "transport": "websocket", "agent": "benchmark-instant"}
    began = time.perf_counter()
    headers = {**_headers(deployment), "Prefer": "wait=10"}
    async with client.post(f"{deployment.url}/v1/sessions", json=body, headers=headers) as response:
        made = await response.json()
    took_ms = (time.perf_counter() - began) * 1000
    return made.get("id", ""), took_ms if made.get("state") in _READY else None


async def agent_turn(options: argparse.Namespace) -> dict[str, Any]:
    """Return how long a question takes from the end of turn to the agent's first words, as the server tells it."""
    run = await turns.measure(works.instant(), options.asking, options)
    return {
        "sessions": run["sessions"],
        "turns": run["turns"],
        "first_delta_ms": run["stages_ms"].get("agent_ttft", percentiles([])),
        "lost_turns": run["lost_turns"],
        "load": run["load"],
    }


async def idle(options: argparse.Namespace) -> dict[str, Any]:
    """Return what callers who said nothing for a second, and nothing since, hold in the worker's memory."""
    config = {**works.works()[1].config, "max_concurrent_sessions": 0}
    async with (
        stack.running(config, workers=1, log=options.log) as deployment,
        _client() as client,
        AsyncExitStack() as calls,
    ):
        workers = {name: pid for name, pid in deployment.pids.items() if name.startswith("worker")}
        await _hold(calls, client, deployment, _KNOWN)
        before = usage(workers, ())
        await _hold(calls, client, deployment, options.idle)
        after = usage(workers, ())
    return {
        "sessions": options.idle,
        "rss_mb_per_session": round((after.rss_mb - before.rss_mb) / options.idle, 3),
        "pss_mb_per_session": round((after.pss_mb - before.pss_mb) / options.idle, 3),
        "worker_rss_mb": round(after.rss_mb, 1),
    }


async def _hold(calls: AsyncExitStack, client: aiohttp.ClientSession, deployment: stack.Running, sessions: int) -> None:
    """Connect callers, a few at a time; each is quiet for a second, and then sends nothing."""
    limit, body = asyncio.Semaphore(_OPENING), {"user_id": "idle", "transport": "websocket"}

    async def one() -> None:
        async with limit:
            line = await calls.enter_async_context(
                call(client, deployment.url, deployment.api_key, {**body, "agent": "benchmark-instant"})
            )
            for _ in range(round(_QUIET_S / FRAME_S)):
                await line.send(quiet())
                await asyncio.sleep(FRAME_S)

    await asyncio.gather(*(one() for _ in range(sessions)))


def _goals(report: dict[str, Any]) -> list[Goal]:
    goals = []
    for found in report["creation"]:
        if found["at_once"] == 20:
            goals += [
                Goal("ready with 20 at once, p50 ms", found["ready_ms"]["p50"], 60.0),
                Goal("ready with 20 at once, p99 ms", found["ready_ms"]["p99"], 150.0),
            ]
    asked = report["agent_turn"]
    return [
        *goals,
        Goal(f"agent's first words at {asked['sessions']} sessions, p50 ms", asked["first_delta_ms"]["p50"], 5.0),
        Goal(f"agent's first words at {asked['sessions']} sessions, p99 ms", asked["first_delta_ms"]["p99"], 25.0),
        Goal("memory of an idle session in the worker, MB", report["idle"]["rss_mb_per_session"], 1.0),
    ]


def table(report: dict[str, Any]) -> str:
    """Return what was found as lines."""
    lines = [
        f"{found['at_once']:4} sessions at once: ready after {found['ready_ms']} ms" for found in report["creation"]
    ]
    asked, idle_ = report["agent_turn"], report["idle"]
    lines.append(
        f"{asked['sessions']:4} sessions, {asked['turns']} turns: first delta after {asked['first_delta_ms']} ms"
    )
    lines.append(f"{idle_['sessions']:4} idle sessions: {idle_['rss_mb_per_session']} MB each in the worker")
    return "\n".join([*lines, *(Goal.line(goal) for goal in report["goals"])])


def _client() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))


def _headers(deployment: stack.Running) -> dict[str, str]:
    return {"Authorization": f"Bearer {deployment.api_key}"}


def _numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sessions", description=__doc__)
    parser.add_argument("--json", type=Path, required=True, help="where the results go")
    parser.add_argument("--at-once", type=_numbers, default=list(AT_ONCE), help="sessions created at once")
    parser.add_argument("--samples", type=int, default=SAMPLES, help="sessions created for each number at once")
    parser.add_argument("--asking", type=int, default=ASKING, help="sessions that ask an agent")
    parser.add_argument("--idle", type=int, default=IDLE, help="sessions that do nothing")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of turns counted, after 6 s of warm-up")
    parser.add_argument("--workers", type=int, default=1, help="streaming workers")
    parser.add_argument("--callers", type=int, default=1, help="processes that hold callers")
    parser.add_argument("--log", type=Path, default=None, help="where the processes' warnings go")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main(sys.argv[1:])
