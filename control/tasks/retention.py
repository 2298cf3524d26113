"""``retention.apply``: keep what a finished session left for as long as the retention hook says, or not at all.

A hook that fails, hangs or answers with something else counts as a no: what may not be kept is gone at once.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from control import context, loop
from control.context import TaskContext
from control.records.data_class import DataClass
from control.records.policy import restored
from control.records.residue import forget_turns
from voicebackend._redis import redis_errors
from voicebackend.consent import kept_from
from voicebackend.errors import SessionNotFound
from voicebackend.hooks import DataRetentionHook, HookFailed, ask
from voicebackend.record import ENDED_TTL_S, SessionRecord

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
    # what is kept longer is an object with an index entry and a receipt: the policies' affair, not Redis's
    longest_s = None if shared.deployment.retention is None else ENDED_TTL_S
    transcript_s = await kept_s(hook, "transcript", record, longest_s=longest_s)
    required = restored(record.retention, DataClass.TRANSCRIPT).consent
    if kept_from(record.consent, "transcript", required=required) is None:
        transcript_s = 0
    metadata_s = await kept_s(hook, "metadata", record, longest_s=longest_s)
    with redis_errors("retention"):
        if not transcript_s:
            await forget_turns(shared.state, shared.keys, session_id)
        # EXPIRE with 0 deletes
        await shared.state.expire(shared.keys.session_log(session_id), transcript_s)
        await shared.state.eval(
            _STRIP, 1, shared.keys.session(session_id), str(metadata_s or ENDED_TTL_S), "0" if metadata_s else "1"
        )


async def kept_s(
    hook: DataRetentionHook | None, data_class: str, record: SessionRecord, *, longest_s: int | None = None
) -> int:
    """Return for how many seconds to keep data of this class: ``transcript`` or ``metadata``; 0 means not at all.

    Never longer than ``longest_s``, where that is given.
    """
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
    kept = max(0, round(period.total_seconds()))
    return kept if longest_s is None else min(kept, longest_s)
