"""Ends that a log tells of and a record does not: the worker's report was lost on its way."""

from __future__ import annotations

from typing import Any

from control.context import TaskContext
from control.tasks.ending import end_session
from control.tasks.repairs.repair import Repair, tell
from voicebackend._redis import redis_errors
from voicebackend.record import SessionRecord, decode_log
from voicebackend.session import SessionState

REPORTED_S = 5.0
"""Seconds within which a report must have come."""
_TAIL = 2
"""The last entries of a log: the state with which the session ended, and ``ended``."""


async def note_end(shared: TaskContext, record: SessionRecord, now: float) -> bool:
    """Bring a record to the end that the session's log tells of; False if it tells of none, or only just now."""
    with redis_errors("repair"):
        tail: Any = await shared.state.xrevrange(shared.keys.session_log(record.id), count=_TAIL)
    entries = [decode_log(fields) for _, fields in tail]
    if not entries or entries[0]["type"] != "ended" or now - int(tail[0][0].split(b"-")[0]) / 1000 < REPORTED_S:
        return False
    states = {str(entry.get("state")) for entry in entries}
    failed = str(SessionState.FAILED) in states
    await tell(shared, Repair.END_NOTED, record.id, event=False, worker=record.worker)
    end = SessionState.FAILED if failed else SessionState.ENDED
    await end_session(shared, record.id, end, str(entries[0].get("reason", "")))
    return True
