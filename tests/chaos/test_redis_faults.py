"""The Redis of a role is killed, frozen, filled or replaced under calls; the calls go on.

``make chaos-redis`` runs the long form and prints what callers heard.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pytest
from redis_faults import (
    Heard,
    Servers,
    failed_over,
    frozen,
    full,
    heard_of,
    highly_available,
    killed,
    leading,
    servers_apart,
)

LONG = os.environ.get("VOICEBACKEND_CHAOS") == "full"
ROUNDS = 3 if LONG else 1
LONGEST_GAP_MS = 9000
"""Of silence, over a fault that lasts 5 s."""

Faults = Callable[[Servers], dict[str, partial[object]]]


async def hold(faults: Faults) -> list[Heard]:
    """Hold calls through each fault, one after the other on the same deployment."""
    heard = []
    async with servers_apart() as (site, servers):
        for _ in range(ROUNDS):
            for name, fault in faults(servers).items():
                heard.append(await heard_of(name, site, fault))  # type: ignore[arg-type]  # a partial of a coroutine
    tell(heard)
    return heard


def tell(heard: list[Heard]) -> None:
    """Print a table's rows, and keep them for ``make chaos-redis``."""
    for row in heard:
        print(json.dumps(asdict(row)), file=sys.stderr)  # noqa: T201 - for who runs it with -s
    path = os.environ.get("VOICEBACKEND_CHAOS_JSON")
    if path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with Path(path).open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(asdict(row)) + "\n" for row in heard)


def nothing_lost(heard: list[Heard]) -> None:
    """Hold that every call went on, spoke and was answered."""
    assert [row for row in heard if row.calls_lost] == []
    assert [row for row in heard if row.longest_gap_ms > LONGEST_GAP_MS] == []
    assert [row for row in heard if row.frames_repeated] == []


@pytest.mark.parametrize("role", ["audio", "state", "broker"])
async def test_a_role_killed_and_restarted_costs_no_call(role: str) -> None:
    """Audio comes back empty, state and broker with what they wrote down."""
    heard = await hold(lambda servers: {f"{role}: killed, restarted": partial(killed, getattr(servers, role))})

    nothing_lost(heard)


@pytest.mark.parametrize("role", ["audio", "state", "broker"])
async def test_a_role_frozen_for_five_seconds_costs_no_call(role: str) -> None:
    """What callers say meanwhile waits, and goes on."""
    heard = await hold(lambda servers: {f"{role}: frozen 5 s": partial(frozen, getattr(servers, role))})

    nothing_lost(heard)


@pytest.mark.parametrize("role", ["audio", "state", "broker"])
async def test_a_role_without_memory_costs_no_call(role: str) -> None:
    """Leases are renewed all the same; what cannot be written waits or is dropped."""
    heard = await hold(lambda servers: {f"{role}: no memory 3 s": partial(full, getattr(servers, role))})

    nothing_lost(heard)


async def test_failovers_and_a_shard_that_is_restarted_cost_no_call() -> None:
    """State's master is killed, the broker's, and a node of audio; then sessions are created, and beat leads again."""
    async with highly_available() as (site, roles):
        state, broker = roles.groups
        faults = {
            "state: failover": partial(failed_over, state),
            "broker: failover": partial(failed_over, broker),
            "audio: shard killed, restarted": partial(killed, roles.nodes[1]),
        }
        heard = [await heard_of(name, site, fault) for name, fault in faults.items()]
        leader = await leading(roles, "beat")
    tell(heard)

    nothing_lost(heard)
    assert leader
