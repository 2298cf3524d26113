"""One seed: a deployment of some size, its faults, then peace, then the check that all is well."""

from __future__ import annotations

import random

from faults import Faults, one_call
from rules import Rules
from world import World

FAULTS_FROM_MS = 1_000.0
FAULTS_UNTIL_MS = 7_000.0
SETTLE_MS = 6_000.0
"""Virtual time after the last fault within which every session must be heard again."""
MOST_CALLS = 400
BIG = 500
"""Workers from which on a deployment is simulated more coarsely."""


def simulate(seed: int, *, workers: int | None = None, rules: Rules | None = None) -> World:
    """Run one seed; 3 to 30 workers unless told.

    Raises:
        InvariantBroken: with the seed and the last events.

    """
    rng = random.Random(seed * 7919)  # noqa: S311  (a simulation, not a secret)
    count = workers or min(30, 3 + int(rng.expovariate(1 / 3)))
    big = count >= BIG
    if rules is None:
        rules = Rules(look_ms=500) if big else Rules()
    world = World(seed, rules, speak_ms=1_000 if big else 200)
    slots = rng.choice((8, 20, 40, 100))
    for _ in range(count):
        world.add_worker(slots)
    if big or rng.random() < 0.5:
        world.settle(4)
    callers(world, rng, count * slots)
    faults = Faults(world, rng, begin_ms=FAULTS_FROM_MS, end_ms=FAULTS_UNTIL_MS)
    faults.plan(count // 40 if big else rng.randint(1, 6))
    world.calls.start()
    world.run(FAULTS_UNTIL_MS)
    world.quiet = True
    world.run(FAULTS_UNTIL_MS + SETTLE_MS)
    world.check_end()
    return world


def callers(world: World, rng: random.Random, capacity: int) -> None:
    """Plan calls for about half of what fits, sometimes for more than fits."""
    share = rng.choice((0.1, 0.3, 0.5, 0.5, 1.2))
    for _ in range(min(int(capacity * share), 40 + len(world.workers), MOST_CALLS)):
        at = rng.triangular(200, FAULTS_UNTIL_MS - 200, 500)
        world.timeline.after(at, one_call, world, rng, FAULTS_UNTIL_MS)
