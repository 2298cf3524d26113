"""``post_call.keep``: write what a finished session leaves, before what Redis has of it goes.

A session stands among the pending ones from before it is made until its records are written: one whose task was lost
is found there, and told of again.
"""

from __future__ import annotations

import logging
import time
from typing import Any

from control import context, loop
from control.context import TaskContext
from control.records.bill import billed
from control.records.cabinet import Cabinet
from control.records.consents import erase_withdrawn
from control.records.data_class import DataClass
from control.records.entry import EntryState
from control.records.keep import FIELD, keep
from voicebackend._redis import redis_errors
from voicebackend.errors import SessionNotFound
from voicebackend.record import LIVE_TTL_S, SessionRecord
from voicebackend.session import is_over
from voicebackend.tasks import POST_CALL_KEEP, RETENTION_APPLY
from voicebackend.webhooks import EventType

logger = logging.getLogger(__name__)

TIMEOUT_S = 40.0
"""Seconds for one session's records."""
PATIENCE_S = 30.0
"""Seconds after a session's end, or its making, in which nobody wonders where its records are."""
PAGE = 500
"""Pending sessions looked at at once."""


def keep_records(session_id: str) -> None:
    """Write a finished session's records, and have Redis' own share kept or deleted.

    Of one that still runs, delete what consent was withdrawn to.
    """
    loop.run(_keep(context.current(), session_id), TIMEOUT_S)


def look_for_lost() -> None:
    """Tell again of finished sessions whose records nobody wrote."""
    loop.run(tell_again(context.current(), time.time()), TIMEOUT_S)


async def _keep(shared: TaskContext, session_id: str) -> None:
    try:
        record = await shared.store.get(session_id)
    except SessionNotFound:
        record = None
    if record is not None and is_over(record.state):
        await _write(shared, record)
        await shared.publisher.publish(RETENTION_APPLY, session_id=session_id)
    elif record is not None and (cabinet := await shared.cabinet()):
        await erase_withdrawn(cabinet, record)
    if record is None or is_over(record.state):
        with redis_errors("keep_records"):
            await shared.state.zrem(shared.keys.records_pending(), session_id)


async def _write(shared: TaskContext, record: SessionRecord) -> None:
    record = await billed(shared.store, shared.state, shared.keys, record, await shared.prices())
    cabinet = await shared.cabinet()
    if cabinet is None:
        return
    await shared.refresh()
    written = await keep(cabinet, shared.state, shared.keys, record, shared.hooks.find(FIELD))
    await _tell_of_transcript(shared, cabinet, record)
    logger.info("records kept", extra={"session_id": record.id, "documents": written})


async def _tell_of_transcript(shared: TaskContext, cabinet: Cabinet, record: SessionRecord) -> None:
    """Tell webhooks of the transcript, if one is kept."""
    if not await shared.outbox.wants(record.tenant, EventType.TRANSCRIPT_READY):
        return
    found = [entry async for ids in cabinet.index.of_session(record.id) for entry in await cabinet.index.many(ids)]
    stored = [entry for entry in found if entry.state is EntryState.STORED and entry.tenant == record.tenant]
    if ids := sorted(entry.id for entry in stored if entry.data_class == DataClass.TRANSCRIPT):
        told = {"records": ids}
        await shared.outbox.put(EventType.TRANSCRIPT_READY, tenant=record.tenant, session=record.id, data=told)


async def tell_again(shared: TaskContext, now: float) -> None:
    """Have the records of each session written that is over, or gone, and still pending."""
    start = 0
    while True:
        with redis_errors("keep_records"):
            ids: Any = await shared.state.zrange(
                shared.keys.records_pending(), "-inf", now - PATIENCE_S, byscore=True, offset=start, num=PAGE
            )
        names = [id_.decode() for id_ in ids]
        found = await shared.store.many(names)
        for name in names:
            record = found.get(name)
            if record is None:  # it never came to be, or was erased, or nobody wrote its records for a day
                await _forget(shared, name)
            elif is_over(record.state) and record.ended_at < now - PATIENCE_S:
                logger.warning("records told of again", extra={"session_id": name})
                await _prolong(shared, name)
                await shared.publisher.publish(POST_CALL_KEEP, session_id=name)
        if len(names) < PAGE:
            return
        start += sum(name in found for name in names)


async def _forget(shared: TaskContext, session_id: str) -> None:
    logger.info("no session whose records could be written", extra={"session_id": session_id})
    with redis_errors("keep_records"):
        await shared.state.zrem(shared.keys.records_pending(), session_id)


async def _prolong(shared: TaskContext, session_id: str) -> None:
    """Have record and log stay while they wait to be written: the store may be away for long."""
    with redis_errors("keep_records"):
        await shared.state.expire(shared.keys.session(session_id), LIVE_TTL_S)
        await shared.state.expire(shared.keys.session_log(session_id), LIVE_TTL_S)
