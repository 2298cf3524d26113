"""Calls on workers under one supervisor: a rolling restart, a worker that is killed, one whose event loop hangs."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from chaos_agents import EFFECTS
from chaos_caller import ChaosCaller
from deployment import Site, site
from worker_harness import eventually

CALLERS, TURNS = 4, 3
STRIKE_AFTER_S = 6.0
READY_S = 30.0
CONFIG = {
    "provider": "mock",
    "provider_config": {"decode": True, "seconds_per_character": 0.045, "varies": 0.25, "tts_delay": 0.08},
    "max_concurrent_sessions": 50,
}
SUPERVISOR = "supervisor"

Strike = Callable[[Site], None]


def logged(running: Site, message: str) -> list[dict[str, Any]]:
    """Return what the supervisor and its workers logged with this message."""
    lines = [json.loads(line) for who, line in running.log if who == SUPERVISOR and line.startswith("{")]
    return [line for line in lines if line["message"] == message]


def child(running: Site) -> int:
    """Return the pid of the worker that was started first."""
    return int(logged(running, "worker process started")[0]["pid"])


def renewed(running: Site) -> None:
    """Replace both workers, one after the other."""
    running.signal(SUPERVISOR, signal.SIGHUP)


def killed(running: Site) -> None:
    """Kill one worker; the other takes its calls."""
    os.kill(child(running), signal.SIGKILL)


def hung(running: Site) -> None:
    """Stop one worker for good; its supervisor finds out."""
    os.kill(child(running), signal.SIGSTOP)


async def until_ready(running: Site, workers: int) -> None:
    """Wait until so many workers were ready."""
    await eventually(lambda: len(logged(running, "worker ready")) >= workers, timeout_s=READY_S)


@pytest.mark.integration
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("strike", "started"), [(renewed, 4), (killed, 3), (hung, 3)])
async def test_calls_outlive_what_befalls_their_workers(tmp_path: Path, strike: Strike, started: int) -> None:
    """Every caller is answered in every turn, and the supervisor has as many workers as before."""
    effects = tmp_path / "effects"
    effects.touch()
    async with site(CONFIG, workers=0, environment={EFFECTS: str(effects)}) as running:
        await running.start(SUPERVISOR, "worker", "--processes", "2")
        await until_ready(running, 2)
        async with aiohttp.ClientSession() as http, asyncio.TaskGroup() as group:
            callers = [ChaosCaller(number, running.url, running.api_key, http) for number in range(CALLERS)]
            for caller in callers:
                group.create_task(caller.call(TURNS), name=f"caller {caller.number}")
                await asyncio.sleep(0.7)
            await asyncio.sleep(STRIKE_AFTER_S)
            strike(running)
        await until_ready(running, started)
    faults = [fault for caller in callers for fault in caller.told.faults]
    assert faults == []
    assert [caller.told.turns for caller in callers] == [TURNS] * CALLERS
