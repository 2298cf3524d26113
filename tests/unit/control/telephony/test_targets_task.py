"""``telephony.probe``, with what control processes and workers say in Redis."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from task_harness import a_record, announce

from control.context import TaskContext
from control.tasks.targets import probe_targets
from control.telephony.health.health_book import HealthBook
from control.telephony.health.states import TargetHealth
from control.telephony.health.tables import Teller, versions
from control.telephony.routing.table import RoutingTable
from voicebackend.breaker import BreakerState
from voicebackend.session import SessionState

CLOSED, OPEN, HALF = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.HALF_OPEN
TELEPHONY = json.dumps({"mock": {"capabilities": {"transports": ["telephony"]}}})
NOW = 2_000_000_000.0


def table(*targets: str, provider: str = "mock") -> RoutingTable:
    """Return a table with these targets."""
    one = {"provider": provider, "probe": {"every": 10, "fail": 3, "ok": 2}}
    return RoutingTable.of({"version": 1, "targets": dict.fromkeys(targets, one), "routes": []})


async def worker(shared: TaskContext, **fields: Any) -> None:
    """Announce a worker that can telephone."""
    await announce(shared.state, shared.keys, "w", {1: 0}, **{"providers": TELEPHONY, **fields})


async def health(shared: TaskContext, target: str = "a") -> TargetHealth:
    """Return how a target is doing."""
    return (await HealthBook(shared.state, shared.keys).read())[target]


@pytest.fixture
async def board(shared: TaskContext) -> Teller:
    """Give a control process that routes by a table with one target."""
    teller = Teller(shared.state, shared.keys)
    await teller.say("1-a", table("a"))
    return teller


@pytest.mark.usefixtures("board")
async def test_a_target_dies_with_its_worker_and_comes_back_by_one_call(shared: TaskContext) -> None:
    """Each probe may run twice at once, and counts once."""

    async def probed(now: float) -> TargetHealth:
        await asyncio.gather(*(probe_targets(shared, now) for _ in range(3)))
        return await health(shared)

    await worker(shared)
    assert (await probed(NOW)).state is CLOSED
    await worker(shared, draining="1")
    dead = await probed(NOW + 2)
    assert (dead.state, dead.why) == (OPEN, "no_worker")
    await worker(shared)
    assert (await probed(NOW + 4)).good == 1
    assert (await probed(NOW + 6)).state is OPEN  # not before it had its rest
    assert (await probed(NOW + 12)).state is HALF
    book, trial = HealthBook(shared.state, shared.keys), a_record(7, state=SessionState.STARTING, lane=1)
    await shared.store.create(trial)
    assert await book.claim_trial("a", trial.id, now=NOW + 13)
    assert (await probed(NOW + 14)).state is HALF
    await shared.store.move(trial.id, SessionState.READY)
    assert (await probed(NOW + 16)).state is CLOSED


@pytest.mark.usefixtures("board")
@pytest.mark.parametrize(("ended", "state"), [(SessionState.FAILED, OPEN), (SessionState.ENDED, HALF)])
async def test_a_trial_call_that_fails_leaves_the_target_out(
    shared: TaskContext, ended: SessionState, state: BreakerState
) -> None:
    """One that just ends before it was ready told nothing."""
    book, trial = HealthBook(shared.state, shared.keys), a_record(7, state=SessionState.STARTING, lane=1)
    await worker(shared, draining="1")
    await probe_targets(shared, NOW)
    await worker(shared)
    for later in (11, 13):
        await probe_targets(shared, NOW + later)
    await shared.store.create(trial)
    assert await book.claim_trial("a", trial.id, now=NOW + 14)
    await shared.store.move(trial.id, ended, reason="connection_failed")
    await probe_targets(shared, NOW + 15)
    assert (await health(shared)).state is state


async def test_workers_are_told_what_to_check(shared: TaskContext, board: Teller) -> None:
    """Twice in the time that a target gives; nothing where there is no table any more."""
    await worker(shared, checks=json.dumps({"mock": -3}))
    await probe_targets(shared, NOW)
    assert (await health(shared)).why == "check_failed"
    assert await shared.state.hgetall(shared.keys.checked_providers()) == {b"mock": b"5.0"}
    await board.say("2-b", RoutingTable.of({"version": 2, "targets": {}, "routes": []}))
    await probe_targets(shared, NOW + 2)
    assert await shared.state.exists(shared.keys.checked_providers()) == 0


async def test_targets_of_all_tables_in_use_are_probed_and_others_forgotten(shared: TaskContext, board: Teller) -> None:
    """While a change spreads there are two."""
    other = Teller(shared.state, shared.keys)
    await other.say("2-b", table("a", "b", provider="nobody"))
    await worker(shared)
    await probe_targets(shared, NOW)
    assert await versions(shared.state, shared.keys) == ["1-a", "2-b"]
    assert (await health(shared, "b")).state is OPEN
    await board.say("2-b", table("a", "b"))
    await other.say("2-b", table("b"))
    assert await versions(shared.state, shared.keys) == ["2-b"]
    await probe_targets(shared, NOW + 2)
    assert set(await HealthBook(shared.state, shared.keys).read()) == {"b"}


async def test_where_nobody_routes_nothing_is_probed(shared: TaskContext) -> None:
    """And nothing is left in Redis."""
    await probe_targets(shared, NOW)
    assert await shared.state.keys("*") == []
