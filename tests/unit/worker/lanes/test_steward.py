"""Lanes are evened out although some are lost meanwhile."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any, cast

from worker.lanes.directory import Lapsed
from worker.lanes.plan import Member
from worker.lanes.steward import REBALANCE_S, Steward


async def test_a_lane_that_was_lost_while_another_was_dropped_is_left_alone() -> None:
    """Its lease lapsed on the way: a worker that stumbled over it would end, with every call it holds."""
    lanes: dict[int, Any] = {number: SimpleNamespace(number=number) for number in range(3)}
    dropped: list[int] = []

    async def drop(lane: Any) -> None:
        dropped.append(lane.number)
        lanes.clear()  # with it, all others

    async def answered(found: Any) -> Any:
        return found

    me = Member(id="w", lanes=dict.fromkeys(lanes, 0), slots_total=1, slots_used=0)
    lapsed = Lapsed(now_ms=0)
    directory = SimpleNamespace(lapsed=lambda: answered(lapsed), members=lambda: answered([me]))
    parts = (directory, SimpleNamespace(lanes=lanes, drop=drop), None, None)
    steward = Steward(*(cast("Any", part) for part in parts), wanted=1, me=lambda: me)
    steward._balanced_at = time.monotonic() - REBALANCE_S
    await steward.look()
    assert dropped == [2]
