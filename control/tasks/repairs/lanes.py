"""Lanes that nobody holds: their sessions have a while to be taken over; then they end, and what the lane left goes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from control.context import TaskContext
from control.sessions.lease import holders
from control.tasks.ending import end_session
from control.tasks.repairs.repair import Repair, tell
from control.tasks.repairs.turns import cancel_turn
from voicebackend._redis import redis_errors
from voicebackend.errors import ErrorCode, SessionNotFound
from voicebackend.session import SessionState

TAKEOVER_S = 10.0
"""Seconds that other workers have to take a lane over."""
ORPHAN_S = 60.0
"""Seconds without holder and sessions after which what a lane left in ``audio`` is removed."""
_NOTED_TTL_S = 24 * 3600


async def repair_lanes(shared: TaskContext, now: float) -> None:
    """End the sessions of lanes that nobody took over, and remove lanes that nobody needs."""
    lapsed = await note_lapsed(shared, now)
    await _offer(shared, lapsed)
    await _end_sessions(shared, [lane for lane, since in lapsed.items() if now - since > TAKEOVER_S])
    await _remove(shared, [lane for lane, since in lapsed.items() if now - since > ORPHAN_S])


async def note_lapsed(shared: TaskContext, now: float) -> dict[int, float]:
    """Return the lanes that nobody holds, with the time (s) at which that was first seen."""
    key = shared.keys.lapsed_lanes()
    with redis_errors("repair"):
        lanes = [int(name) for name in await shared.state.hkeys(shared.keys.last_epoch())]
    held = await holders(shared.state, shared.keys, lanes)
    free = [lane for lane in lanes if lane not in held]
    pipe = shared.state.pipeline(transaction=False)
    if held:
        pipe.zrem(key, *held)
    if free:
        pipe.zadd(key, dict.fromkeys(map(str, free), now), nx=True)
        pipe.expire(key, _NOTED_TTL_S)
    pipe.zrange(key, 0, -1, withscores=True)
    with redis_errors("repair"):
        *_, noted = await pipe.execute()
    return {int(lane): since for lane, since in noted}


async def _offer(shared: TaskContext, lapsed: Mapping[int, float]) -> None:
    """See that workers are told of every lane with sessions that nobody holds: they take over what is listed."""
    pipe = shared.state.pipeline(transaction=False)
    for lane in lapsed:
        pipe.scard(shared.keys.lane_sessions(lane))
    with redis_errors("repair"):
        sizes = await pipe.execute() if lapsed else []
        missed = {str(lane): since * 1000 for (lane, since), size in zip(lapsed.items(), sizes, strict=True) if size}
        if not missed:
            return
        listed: Any = await shared.state.zadd(shared.keys.lanes(), missed, nx=True)
        await shared.state.expire(shared.keys.lanes(), _NOTED_TTL_S)
    if listed:
        await tell(shared, Repair.LANE_OFFERED, count=listed)


async def _end_sessions(shared: TaskContext, lanes: Iterable[int]) -> None:
    for lane in lanes:
        with redis_errors("repair"):
            sessions: Any = await shared.state.smembers(shared.keys.lane_sessions(lane))
        if sessions and not await holders(shared.state, shared.keys, [lane]):
            for session in sessions:
                await _end(shared, session.decode(), lane)


async def _end(shared: TaskContext, session_id: str, lane: int) -> None:
    try:
        record = await shared.store.get(session_id)
    except SessionNotFound:
        return
    if record.lane == lane:
        await tell(shared, Repair.SESSION_UNHELD, session_id, worker=record.worker, lane=lane)
        await end_session(shared, session_id, SessionState.FAILED, ErrorCode.PIPELINE_ERROR)
        await cancel_turn(shared, session_id)


async def _remove(shared: TaskContext, lanes: list[int]) -> None:
    """Remove stream and checkpoint of lanes without sessions; a worker that claims one makes both anew."""
    pipe = shared.state.pipeline(transaction=False)
    for lane in lanes:
        pipe.scard(shared.keys.lane_sessions(lane))
    with redis_errors("repair"):
        sizes = await pipe.execute() if lanes else []
    held = await holders(shared.state, shared.keys, lanes)
    for lane, size in zip(lanes, sizes, strict=True):
        if size or lane in held:
            continue
        with redis_errors("repair"):
            removed = await shared.audio.delete(shared.keys.lane(lane), shared.keys.lane_checkpoint(lane))
            await shared.state.zrem(shared.keys.lanes(), lane)
        if removed:
            await tell(shared, Repair.LANE_REMOVED, lane=lane)
