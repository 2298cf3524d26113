"""The slots of lanes against the records of sessions, some lanes at a time: a slot whose session is over is free."""

from __future__ import annotations

from typing import Any

from control.context import TaskContext
from control.tasks.repairs.repair import Repair, tell
from voicebackend._redis import redis_errors
from voicebackend.session import SessionState, is_over

MAX_LANES = 64
"""Lanes that are compared in one go, about 1,600 sessions; the next go takes the next ones."""
GO_S = 5.0
"""Seconds between two goes."""


async def repair_slots(shared: TaskContext, now: float) -> None:
    """Free slots of sessions that are over, gone or elsewhere; see that the others are looked after."""
    with redis_errors("repair"):
        lanes = sorted(int(name) for name in await shared.state.hkeys(shared.keys.last_epoch()))
    goes = -(-len(lanes) // MAX_LANES) or 1
    start = int(now / GO_S) % goes * MAX_LANES
    for lane in lanes[start : start + MAX_LANES]:
        await _compare(shared, lane, now)


async def _compare(shared: TaskContext, lane: int, now: float) -> None:
    with redis_errors("repair"):
        members: Any = await shared.state.smembers(shared.keys.lane_sessions(lane))
    sessions = [name.decode() for name in members]
    pipe = shared.state.pipeline(transaction=False)
    for session in sessions:
        pipe.hmget(shared.keys.session(session), "state", "lane")
    with redis_errors("repair"):
        found = await pipe.execute() if sessions else []
    live = [session for session, record in zip(sessions, found, strict=True) if _is_here(record, lane)]
    for session in set(sessions) - set(live):
        await _free(shared, lane, session)
    if live:
        with redis_errors("repair"):
            added: Any = await shared.state.zadd(shared.keys.live_sessions(), dict.fromkeys(live, now), nx=True)
        if added:
            await tell(shared, Repair.SESSION_UNWATCHED, lane=lane, count=added)


def _is_here(record: list[Any], lane: int) -> bool:
    state, where = record
    return bool(state) and not is_over(SessionState(state.decode())) and where == b"%d" % lane


async def _free(shared: TaskContext, lane: int, session: str) -> None:
    with redis_errors("repair"):
        removed = await shared.state.srem(shared.keys.lane_sessions(lane), session)
    if removed:
        await tell(shared, Repair.SLOT_FREED, session, lane=lane)
