"""What counts as a tenant's live session, against the records: a sample each time, for all of them in a while."""

from __future__ import annotations

from typing import Any

from control.context import TaskContext
from control.tasks.repairs.repair import Repair, tell
from voicebackend._redis import redis_errors
from voicebackend.session import SessionState, is_over

SAMPLE = 500
"""Sessions compared in one go."""


async def repair_tenants(shared: TaskContext, _now: float) -> None:
    """Count no session that is over or gone."""
    key = shared.keys.live_by_tenant()
    with redis_errors("repair"):
        members: Any = await shared.state.zrandmember(key, SAMPLE)
    pipe = shared.state.pipeline(transaction=False)
    for member in members or ():
        pipe.hget(shared.keys.session(member.rpartition(b"\0")[2].decode()), "state")
    with redis_errors("repair"):
        states = await pipe.execute() if members else []
        over = [
            member
            for member, state in zip(members or (), states, strict=True)
            if not state or is_over(SessionState(state.decode()))
        ]
        removed = await shared.state.zrem(key, *over) if over else 0
    if removed:
        await tell(shared, Repair.TENANT_OVERCOUNTED, count=removed)
