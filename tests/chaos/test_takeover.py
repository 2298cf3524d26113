"""Streaming workers are killed, stopped and drained under calls; the calls go on.

``make chaos-takeover`` runs the long form and prints what callers heard.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from chaos_agents import EFFECTS
from chaos_caller import ChaosCaller
from deployment import WORKER, Site, site

LONG = os.environ.get("VOICEBACKEND_CHAOS") == "full"
CALLERS = 8 if LONG else 4
BUSY = 25 if LONG else 4
"""Callers of workers that are asked to leave."""
TURNS = 12 if LONG else 3
STRIKES = 14 if LONG else 2
BETWEEN_S = (6.0, 11.0)
"""Seconds from one strike to the next: the worker started in its place must be there before."""
WARM_UP_S = 3.0
CONFIG = {
    "provider": "mock",
    "provider_config": {"decode": True, "seconds_per_character": 0.045, "varies": 0.25, "tts_delay": 0.08},
    "conversation": {"endpointing": {"min_wait": 0.6}},  # a stall of a busy machine is no end of a turn
    "max_concurrent_sessions": 50,
}
LONGEST_S = 8.0
"""A gap after which a caller has hung up."""
SMOOTH_S = 0.3
"""A gap that a move may cost which was meant."""

SPREAD_S = 60.0
"""Seconds after which every new worker has calls."""

Strike = Callable[[Site, str], Awaitable[None]]


@dataclass
class Outcome:
    """What callers went through."""

    strikes: int = 0
    hit: int = 0
    """Calls that were on the worker that was struck, over all strikes."""
    callers: list[ChaosCaller] = field(default_factory=list)

    @property
    def gaps_s(self) -> list[float]:
        """Return every silence within an answer, the shortest first; 0 s if there was none."""
        return sorted(gap for caller in self.callers for gap in caller.told.gaps_s) or [0.0]

    @property
    def faults(self) -> list[str]:
        """Return what went wrong."""
        return [fault for caller in self.callers for fault in caller.told.faults]

    def summary(self) -> str:
        """Return it as a line of JSON, and the faults."""
        gaps = self.gaps_s
        told = {
            "strikes": self.strikes,
            "calls_hit": self.hit,
            "turns": sum(caller.told.turns for caller in self.callers),
            "gaps": len(gaps),
            "gaps_over_300_ms": sum(gap > SMOOTH_S for gap in gaps),
            "gap_s": {"p50": gaps[len(gaps) // 2], "p95": gaps[int(len(gaps) * 0.95)], "max": gaps[-1]},
            "faults": len(self.faults),
        }
        return "\n".join([json.dumps(told), *self.faults])


async def _killed(running: Site, name: str) -> None:
    await running.kill(name)


async def _zombie(running: Site, name: str) -> None:
    """Stop it until others must have taken over, let it go on, and end it for good a little later."""
    running.signal(name, signal.SIGSTOP)
    await asyncio.sleep(3.0)
    running.signal(name, signal.SIGCONT)
    await asyncio.sleep(1.0)
    await running.kill(name)


async def _drained(running: Site, name: str) -> None:
    process = running.processes.pop(name)
    running.retired.append(process)
    await process.stop(grace_s=40)


async def _strike(running: Site, outcome: Outcome, strike: Strike, *, count: int, seed: int) -> None:
    """Strike a random worker at random moments; another has been started before, or is right after."""
    chance = random.Random(seed)  # noqa: S311 - to strike by, no secret
    await asyncio.sleep(WARM_UP_S)
    for number in range(count):
        await asyncio.sleep(chance.uniform(*BETWEEN_S))
        victim = chance.choice([name for name in running.processes if name.startswith("worker")])
        await running.start(f"worker-new-{number}", *WORKER)
        outcome.hit += len(await running.sessions_on(victim) & {caller.session for caller in outcome.callers})
        await strike(running, victim)
        outcome.strikes += 1


async def _hold_calls(running: Site, outcome: Outcome, strike: Strike, callers: int) -> None:
    async with aiohttp.ClientSession() as http:
        outcome.callers = [ChaosCaller(n, running.url, running.api_key, http) for n in range(callers)]
        seed = int(os.environ.get("VOICEBACKEND_CHAOS_SEED", "1"))
        striking = asyncio.create_task(_strike(running, outcome, strike, count=STRIKES, seed=seed), name="strikes")
        try:
            async with asyncio.TaskGroup() as group:
                for caller in outcome.callers:
                    group.create_task(caller.call(TURNS), name=f"caller {caller.number}")
                    await asyncio.sleep(3 / callers)  # so that no two are at the same place when a worker dies
        finally:
            striking.cancel()
            await asyncio.gather(striking, return_exceptions=True)


@pytest.mark.integration
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("strike", "callers", "longest_s"),
    [
        pytest.param(_killed, CALLERS, LONGEST_S, id="killed"),
        pytest.param(_zombie, CALLERS, LONGEST_S, id="zombie"),
        pytest.param(_drained, BUSY, LONGEST_S, id="drained"),
    ],
)
async def test_calls_outlive_their_workers(tmp_path: Path, strike: Strike, callers: int, longest_s: float) -> None:
    """Every word of the caller is understood, every sentence said once, every side effect happens once."""
    effects, outcome = tmp_path / "effects", Outcome()
    effects.touch()
    async with site(CONFIG, workers=2, environment={EFFECTS: str(effects)}) as running:
        try:
            await _hold_calls(running, outcome, strike, callers)
        finally:
            _tell(running, outcome)
    assert outcome.strikes >= 1
    assert not outcome.faults, outcome.summary()
    assert [caller.told.turns for caller in outcome.callers] == [TURNS] * callers
    done = Counter(effects.read_text(encoding="utf-8").split("\n")[:-1])
    assert set(done.values()) == {1}, done
    assert len(done) == TURNS * callers
    assert outcome.gaps_s[-1] < longest_s, outcome.summary()


@pytest.mark.integration
@pytest.mark.timeout(300)
async def test_more_workers_share_the_calls(tmp_path: Path) -> None:
    """One worker, then two, then four, while everybody talks: calls move to the new ones, and nobody hears of it."""
    effects, outcome = tmp_path / "effects", Outcome()
    effects.touch()
    config = {**CONFIG, "max_concurrent_sessions": 4 * CALLERS}
    environment = {EFFECTS: str(effects), "VOICEBACKEND_LANES": "8"}
    async with site(config, workers=1, environment=environment) as running, aiohttp.ClientSession() as http:
        outcome.callers = [ChaosCaller(n, running.url, running.api_key, http) for n in range(2 * CALLERS)]
        try:
            async with asyncio.TaskGroup() as group:
                for caller in outcome.callers:
                    group.create_task(caller.call(TURNS + 2), name=f"caller {caller.number}")
                    await asyncio.sleep(3 / len(outcome.callers))
                names = ["worker-0"]
                for more in (1, 2):
                    await asyncio.sleep(WARM_UP_S)
                    for _ in range(more):
                        names.append(f"worker-{len(names)}")
                        await running.start(names[-1], *WORKER)
                    shares = await _spread(running, names)
        finally:
            _tell(running, outcome)
    assert not outcome.faults, outcome.summary()
    assert [caller.told.turns for caller in outcome.callers] == [TURNS + 2] * len(outcome.callers)
    assert min(shares) > 0, shares
    assert outcome.gaps_s[-1] < LONGEST_S, outcome.summary()


async def _spread(running: Site, names: list[str]) -> list[int]:
    """Wait until every worker has a call, and return how many each has."""
    async with asyncio.timeout(SPREAD_S):
        while True:
            shares = [len(await running.sessions_on(name)) for name in names]
            if min(shares) > 0:
                return shares
            await asyncio.sleep(0.2)


@pytest.mark.integration
@pytest.mark.timeout(300)
async def test_poisoned_audio_costs_its_own_call_only(tmp_path: Path) -> None:
    """Whoever hears it dies; its session ends as ``pipeline_error``, its neighbours go on."""
    effects, outcome = tmp_path / "effects", Outcome()
    effects.touch()
    config = {**CONFIG, "custom_processors": ["chaos_processors:crash"]}
    environment = {EFFECTS: str(effects), "VOICEBACKEND_LANES": "1"}
    async with site(config, workers=2, environment=environment) as running, aiohttp.ClientSession() as http:
        outcome.callers = [ChaosCaller(n, running.url, running.api_key, http) for n in range(CALLERS)]
        poisoner = ChaosCaller(CALLERS, running.url, running.api_key, http)
        try:
            async with asyncio.TaskGroup() as group:
                calls = [group.create_task(caller.call(TURNS)) for caller in outcome.callers]
                group.create_task(_replace(running, calls), name="process manager")
                await asyncio.sleep(WARM_UP_S)
                ended = await poisoner.poisoned()
        finally:
            _tell(running, outcome)
    assert ended == "pipeline_error"
    assert not outcome.faults, outcome.summary()
    assert [caller.told.turns for caller in outcome.callers] == [TURNS] * CALLERS


async def _replace(running: Site, calls: list[asyncio.Task[None]]) -> None:
    """Start a worker for each that dies, as any process manager would."""
    number = 0
    while not all(call.done() for call in calls):
        for name, process in list(running.processes.items()):
            if name.startswith("worker") and process.returncode is not None:
                running.retired.append(running.processes.pop(name))
                number += 1
                await running.start(f"worker-again-{number}", *WORKER)
        await asyncio.sleep(0.1)


def _tell(running: Site, outcome: Outcome) -> None:
    if LONG:
        sys.stdout.write(f"\n{outcome.summary()}\n")
    if path := os.environ.get("VOICEBACKEND_CHAOS_LOG"):
        Path(path).write_text("\n".join(f"{who}: {line}" for who, line in running.log), encoding="utf-8")
