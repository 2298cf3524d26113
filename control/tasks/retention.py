"""``retention.apply``: keep what a finished session left for as long as the retention hook says, or not at all.

A hook that fails, hangs or answers with something else counts as a no: what may not be kept is gone at once.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from control import context, loop
from control.context import TaskContext
from voicebackend._redis import redis_errors
from voicebackend.errors import SessionNotFound
from voicebackend.hooks import DataRetentionHook, HookFailed, ask
from voicebackend.record import ENDED_TTL_S, SessionRecord, decode_log

FIELD = "data_retention_hook"
TIMEOUT_S = 20.0
"""Seconds for the task; each question to the hook has two."""
_STRIP = """
-- KEYS record; ARGV ttl, '1' to drop the metadata
if redis.call('EXPIRE', KEYS[1], ARGV[1]) == 1 and ARGV[2] == '1' then redis.call('HSET', KEYS[1], 'metadata', '{}') end
return 1
"""


def apply(session_id: str) -> None:
    """Keep or delete a finished session's transcript and metadata."""
    loop.run(_apply(context.current(), session_id), TIMEOUT_S)


async def _apply(shared: TaskContext, session_id: str) -> None:
    try:
        record = await shared.store.get(session_id)
    except SessionNotFound:
        return
    await shared.refresh()
    hook = shared.hooks.find(FIELD)
    transcript_s = await kept_s(hook, "transcript", record)
    metadata_s = await kept_s(hook, "metadata", record)
    with redis_errors("retention"):
        if not transcript_s:
            await _forget_turns(shared, session_id)  # before the log, which says how many there were
        # EXPIRE with 0 deletes
        await shared.state.expire(shared.keys.session_log(session_id), transcript_s)
        await shared.state.eval(
            _STRIP, 1, shared.keys.session(session_id), str(metadata_s or ENDED_TTL_S), "0" if metadata_s else "1"
        )


async def _forget_turns(shared: TaskContext, session_id: str) -> None:
    """Delete what lies with the turns: what was said, a guess at one that was never finished, what agents noted."""
    entries: Any = await shared.state.xrange(shared.keys.session_log(session_id))
    said = (decode_log(fields).get("turn") for _, fields in entries)
    last = max((turn for turn in said if isinstance(turn, int)), default=0)
    await shared.state.delete(*(shared.keys.turn(session_id, turn) for turn in range(last + 2)))


async def kept_s(hook: DataRetentionHook | None, data_class: str, record: SessionRecord) -> int:
    """Return for how many seconds to keep data of this class: ``transcript`` or ``metadata``; 0 means not at all."""
    if hook is None:
        return ENDED_TTL_S
    about: dict[str, Any] = {
        **record.metadata,
        "session_id": record.id,
        "tenant": record.tenant,
        "user_id": record.user_id,
    }
    try:
        if not await ask(lambda: hook.should_retain(data_class, about), hook=FIELD, expected=bool):
            return 0
        period = await ask(lambda: hook.retention_period(data_class), hook=FIELD, expected=timedelta)
    except HookFailed:
        return 0
    return max(0, round(period.total_seconds()))
