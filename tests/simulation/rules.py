"""The rules under test: the product's own, each of which a test may replace to see that the simulation notices."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from worker.lanes import balance, plan
from worker.lease import LEASE_TTL_S, RENEW_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """Times in milliseconds, and pure functions."""

    ttl_ms: int = round(LEASE_TTL_S * 1000)
    renew_ms: float = RENEW_S * 1000
    look_ms: float = 200
    """Between two looks for lanes without holder."""
    rebalance_ms: float = balance.REBALANCE_S * 1000
    create_ms: float = 1_000
    """Between two tries to make lanes."""
    grace_ms: float = 2 * LEASE_TTL_S * 1000
    """After ``state`` was away, in which nobody claims a lane that was not its own."""
    next_epoch: Callable[[int, int, int], int] = plan.next_epoch
    to_claim: Callable[..., list[int]] = plan.to_claim
    to_hand_over: Callable[..., list[int]] = balance.to_hand_over
    heal_ms: float = 2_000
    """Between two times that holders restore the slots of what they run."""
    heals: bool = True
    """Holders restore the slots of their sessions after ``state`` forgot them."""
    fenced: bool = True
    """Gateways drop older epochs."""
