"""Telephone calls against the records of their sessions: one whose session is over or never came is ended."""

from __future__ import annotations

from control.context import TaskContext
from control.tasks.repairs.repair import Repair, tell
from control.telephony.call_ends import call_ended
from control.telephony.live_calls import LiveCalls
from voicebackend.session import is_over

SAMPLE = 500
"""Calls compared in one go."""
GRACE_S = 60.0
"""Seconds in which the session of a call may still come, or its end be told: longer than either is waited for."""


async def repair_calls(shared: TaskContext, now: float) -> None:
    """Give back what ended calls still count against."""
    live = LiveCalls(shared.state, shared.keys)
    old = await live.sample(older_than=now - GRACE_S, count=SAMPLE)
    records = await shared.store.many(old)
    for session in old:
        record, call = records.get(session), await live.find(session)
        if record is not None and not is_over(record.state):
            continue
        if call is None:
            await live.forget(session)
        elif record is None:
            await live.end(call, {})
            await tell(shared, Repair.CALL_ENDED, session, event=False, target=call.target)
        else:
            await call_ended(shared.state, shared.keys, record)
            await tell(shared, Repair.CALL_ENDED, session, event=False, target=call.target)
