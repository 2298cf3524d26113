"""A thousand deployments in which everything goes wrong: no two speakers, nothing over capacity, all ends well."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from seeds import simulate

CHUNK = 50


@pytest.mark.parametrize("first", range(0, 1_000, CHUNK))
def test_a_thousand_seeds_hold_every_invariant(first: int) -> None:
    """3 to 30 workers; crashes, standstills, deploys, restarts of Redis, loss, delay, skewed clocks, rushes."""
    worlds = [simulate(seed) for seed in range(first, first + CHUNK)]
    assert sum(world.oracle.takeovers for world in worlds) > CHUNK
    assert sum(world.oracle.fenced for world in worlds) > 0
    assert sum(world.oracle.accepted for world in worlds) > CHUNK


@pytest.fixture
def without_collector() -> Iterator[None]:
    """Keep the garbage collector out: among so many objects it takes as long as the simulation."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("without_collector")
@pytest.mark.parametrize("seed", [1, 2])
def test_two_thousand_workers_hold_them_too(seed: int) -> None:
    """Each of them sees only some of the others."""
    world = simulate(seed, workers=2_000)
    assert len(world.running()) >= 2_000
    assert world.oracle.takeovers > 0


def test_a_seed_is_the_same_run_every_time() -> None:
    """What failed once can be looked at."""
    first, again = simulate(17), simulate(17)
    assert first.summary() == again.summary()
    assert first.timeline.last() == again.timeline.last()
