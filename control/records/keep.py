"""Writing what a finished session leaves, as the policies of its start say and the deployment's hook allows."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from typing import Any

from redis.asyncio import Redis

from control.records.cabinet import Cabinet
from control.records.consents import erase_withdrawn, keep_consents
from control.records.data_class import DataClass
from control.records.documents import NAMES, document
from control.records.names import names_of
from control.records.policy import Rule, restored
from control.records.transcript import LogEntry, begun
from voicebackend._redis import redis_errors
from voicebackend.consent import kept_from
from voicebackend.hooks import DataRetentionHook, HookFailed, ask
from voicebackend.keys import Keys
from voicebackend.record import SessionRecord, decode_log

FIELD = "data_retention_hook"


async def keep(
    cabinet: Cabinet, redis: Redis, keys: Keys, record: SessionRecord, hook: DataRetentionHook | None
) -> int:
    """Write a session's documents and the proof of its consents; return how many documents.

    Called again, it writes what is not there yet. What needs consent holds only what came after that.

    Raises:
        ConnectionFailed: Redis or the store is not there; to be done again.

    """
    log: list[LogEntry] | None = None
    written = 0
    subjects = cabinet.subjects.all(record.tenant, names_of(record))
    covered = (await cabinet.holds.covering(record.tenant))(record.id, subjects)
    for kind, name in NAMES.items():
        rule = await allowed(restored(record.retention, kind), kind, record, hook)
        since = kept_from(record.consent, kind, required=rule.consent)
        if since is None or not rule.ttl_s:  # whatever the clock says, which may have been put back
            continue
        if record.ended_at + rule.ttl_s <= time.time() and not covered:
            continue
        log = await log_of(redis, keys, record.id) if log is None else log
        entry = replace(cabinet.entry(record, kind, name, rule), made=max(since, record.created_at))
        agreed = [(at, said) for at, said in log if begun(at, said) >= since]
        data: bytes | None = document(kind, record, agreed)
        if data is not None and rule.redacted:
            data = await cabinet.redaction.document(kind, data, session=record.id)
        if data is not None:
            written += await cabinet.write(entry, data)
    await keep_consents(cabinet, record)
    await erase_withdrawn(cabinet, record)
    return written


async def allowed(rule: Rule, kind: DataClass, record: SessionRecord, hook: DataRetentionHook | None) -> Rule:
    """Return the rule as the hook narrows it: it may forbid or shorten, never lengthen; one that fails forbids."""
    if hook is None or not rule.ttl_s:
        return rule
    about = {**record.metadata, "session_id": record.id, "tenant": record.tenant, "user_id": record.user_id}
    return replace(rule, ttl_s=min(rule.ttl_s, await granted_s(hook, kind, about)))


async def granted_s(hook: DataRetentionHook, kind: str, about: dict[str, Any]) -> float:
    """Return for how many seconds the hook lets data of a class be kept; 0 is not at all, and where it fails."""
    try:
        if not await ask(lambda: hook.should_retain(kind, about), hook=FIELD, expected=bool):
            return 0.0
        period = await ask(lambda: hook.retention_period(kind), hook=FIELD, expected=timedelta)
    except HookFailed:
        return 0.0
    return max(0.0, period.total_seconds())


async def log_of(redis: Redis, keys: Keys, session: str) -> list[LogEntry]:
    """Return a session's log, oldest first; raises ConnectionFailed."""
    with redis_errors("records"):
        rows: Any = await redis.xrange(keys.session_log(session))
    return [(int(id_.split(b"-")[0]) / 1000, decode_log(fields)) for id_, fields in rows]
