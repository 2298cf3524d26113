"""The sessions that wait for a slot: who they are, where each stands, and giving them what has become free.

Any process may do any of it at any time: the script that gives a slot takes the session off the queue in the same step.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

from control.sessions.placement import Placement
from control.sessions.queue_order import Waiting, in_order
from control.sessions.slot_scripts import Slot
from control.sessions.store import SessionStore
from control.sessions.workers import WorkerInfo
from voicebackend._redis import redis_errors
from voicebackend.errors import SessionNotActive
from voicebackend.keys import Keys
from voicebackend.record import SessionRecord

logger = logging.getLogger(__name__)


class SessionQueue:
    """The queues of all providers; ``redis`` is the ``state`` role."""

    def __init__(self, redis: Redis, keys: Keys, store: SessionStore, placement: Placement) -> None:
        self._redis, self._keys, self._store, self._placement = redis, keys, store, placement

    async def waiting(self, provider: str) -> list[Waiting]:
        """Return those who wait for this provider, next first."""
        pipe = self._redis.pipeline(transaction=False)
        pipe.zrange(self._keys.queue(provider), 0, -1, withscores=True)
        pipe.hgetall(self._keys.queue_turns(provider))
        with redis_errors("queue"):
            tickets, turns = await pipe.execute()
        served = {tenant.decode(): float(at) for tenant, at in turns.items()}
        return in_order((Waiting.read(ticket.decode(), since) for ticket, since in tickets), served)

    async def joined(self, record: SessionRecord) -> SessionRecord:
        """Return the record of a session that has just joined a queue, with its position, which its log gets too."""
        ordered = await self.waiting(record.provider)
        position = next((at for at, one in enumerate(ordered, start=1) if one.session == record.id), 0)
        return await self._tell(record, position) if position else await self._store.get(record.id)

    async def serve(self, provider: str, workers: Sequence[WorkerInfo]) -> list[str]:
        """Give those who wait for a provider the slots that these workers have; return the sessions that got one."""
        served: list[str] = []
        for waiting in await self.waiting(provider):
            if waiting.until <= time.time():
                continue
            slot = await self._placement.place(waiting, provider, workers)
            if slot is Slot.FULL:
                break
            if slot is Slot.TAKEN:
                served.append(waiting.session)
        return served

    async def tell_positions(self, provider: str) -> list[str]:
        """Tell those whose position has changed; return the sessions that have waited long enough."""
        late: list[str] = []
        ordered = await self.waiting(provider)
        records = await self._store.many(one.session for one in ordered)
        for position, waiting in enumerate(ordered, start=1):
            record = records.get(waiting.session)
            if record is None or not record.is_queued:
                await self._leave(provider, waiting)
            elif waiting.until <= time.time():
                late.append(waiting.session)
            elif record.queue_position != position:
                await self._tell(record, position)
        return late

    async def _tell(self, record: SessionRecord, position: int) -> SessionRecord:
        """Note a position in record and log; a session that is over by now is returned as it was."""
        try:
            record = await self._store.set_position(record.id, record.tenant, position)
        except SessionNotActive:
            return record
        entry: dict[str, Any] = {"type": "session", "state": record.state.value, "queue_position": position}
        await self._store.append_log(record.id, {**entry, "queued_for_s": record.view().queued_for_s})
        return record

    async def _leave(self, provider: str, waiting: Waiting) -> None:
        logger.info("no longer waits", extra={"session_id": waiting.session})
        with redis_errors("queue"):
            await self._redis.zrem(self._keys.queue(provider), waiting.ticket())
