"""The agent's turn of a session that is over: nobody will hear it, so its task is told to stop."""

from __future__ import annotations

from typing import Any

from control.context import TaskContext
from control.tasks.repairs.repair import Repair, tell
from voicebackend._redis import redis_errors
from voicebackend.record import decode_log

_TAIL = 50
"""Entries of a log among which the latest turn is found."""


async def cancel_turn(shared: TaskContext, session_id: str) -> None:
    """Cancel the latest attempt at a session's latest turn, unless it is cancelled already."""
    with redis_errors("repair"):
        tail: Any = await shared.state.xrevrange(shared.keys.session_log(session_id), count=_TAIL)
    turn = max((int(decode_log(fields).get("turn") or 0) for _, fields in tail), default=0)
    key = shared.keys.turn(session_id, turn)
    with redis_errors("repair"):
        found: Any = await shared.state.hmget(key, ["current", "cancelled"])
        current, cancelled = found
        if not current or int(cancelled or 0) >= int(current):
            return
        await shared.state.hset(key, "cancelled", current.decode())
    await tell(shared, Repair.TURN_CANCELLED, session_id, turn=turn)
