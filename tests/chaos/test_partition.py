"""A streaming worker is cut off from every Redis while it speaks; nobody tells it, and its connections stay open."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import aiohttp
import pytest
from chaos_agents import EFFECTS
from chaos_caller import ChaosCaller
from deployment import WORKER, Site, site
from partition import Partition, partition
from redis_harness import running_redis

CALLERS, TURNS = 4, 3
CUT_S = 8.0
"""Longer than a lease lives, and than anybody else waits to take it."""
LONGEST_S = 10.0
"""A gap after which a caller has hung up; the machine runs everything at once."""
CONFIG = {
    "provider": "mock",
    "provider_config": {"decode": True, "seconds_per_character": 0.045, "tts_delay": 0.08},
    "conversation": {"endpointing": {"min_wait": 0.6}},
    "max_concurrent_sessions": 50,
}
VARIABLES = {
    "state_url": "VOICEBACKEND_STATE_URL",
    "audio_url": "VOICEBACKEND_AUDIO_URL",
    "broker_url": "VOICEBACKEND_BROKER_URL",
}

pytestmark = [
    pytest.mark.integration,
    pytest.mark.timeout(300),
    pytest.mark.own_redis("the proxy stands before single servers"),
]


async def test_a_worker_that_is_cut_off_lets_its_calls_go(tmp_path: Path) -> None:
    """Others go on with them within the time of a gap; when it is back, it says nothing that was said already."""
    effects = tmp_path / "effects"
    effects.touch()
    with running_redis() as path:
        urls = dict.fromkeys(VARIABLES, f"unix://{path}")
        async with (
            partition(urls) as way,
            site(CONFIG, workers=1, redis=urls, environment={EFFECTS: str(effects)}) as running,
            aiohttp.ClientSession() as http,
        ):
            behind = {VARIABLES[role]: url for role, url in way.urls.items()}
            await running.start("worker-behind", *WORKER, **behind)
            await running.until_ready(2)
            callers = [ChaosCaller(n, running.url, running.api_key, http) for n in range(CALLERS)]
            async with asyncio.TaskGroup() as group:
                for caller in callers:
                    group.create_task(caller.call(TURNS), name=f"caller {caller.number}")
                lost = await _cut(running, way)
            assert running.processes["worker-behind"].returncode is None, "it must outlive the silence"
    faults = [fault for caller in callers for fault in caller.told.faults]
    assert faults == []
    assert [caller.told.turns for caller in callers] == [TURNS] * CALLERS
    assert lost, "nobody was on the worker that was cut off"
    done = Counter(effects.read_text(encoding="utf-8").split("\n")[:-1])
    assert set(done.values()) == {1}, done
    assert max(gap for caller in callers for gap in [0.0, *caller.told.gaps_s]) < LONGEST_S


async def _cut(running: Site, way: Partition) -> set[str]:
    """Cut the worker off once it has calls, for a while; return their ids."""
    async with asyncio.timeout(30):
        while not (calls := await running.sessions_on("worker-behind")):  # noqa: ASYNC110 - told over HTTP
            await asyncio.sleep(0.1)
    await asyncio.sleep(2.0)  # into somebody's turn
    way.cut()
    await asyncio.sleep(CUT_S)
    assert not await running.sessions_on("worker-behind") & calls, "others must have them by now"
    way.heal()
    return calls
