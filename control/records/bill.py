"""A finished session's usage and cost, noted in its record."""

from __future__ import annotations

from redis.asyncio import Redis

from control.records.keep import log_of
from control.records.prices import Prices
from control.records.usage import usage
from control.sessions.store import SessionStore
from voicebackend.errors import SessionNotFound
from voicebackend.keys import Keys
from voicebackend.record import SessionRecord


async def billed(
    store: SessionStore, redis: Redis, keys: Keys, record: SessionRecord, prices: Prices | None
) -> SessionRecord:
    """Return the record with what the session used, and what that cost where there are prices; once it has been noted.

    Called again, it notes the same; of a session that was erased meanwhile nothing.

    Raises:
        ConnectionFailed: Redis is not there; to be done again.

    """
    used = usage(record, await log_of(redis, keys, record.id))
    cost = {} if prices is None else {"cost": prices.cost(used)}
    try:
        return await store.set_usage(record.id, record.tenant, {"usage": used, **cost})
    except SessionNotFound:
        return record
