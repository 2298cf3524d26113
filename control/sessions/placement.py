"""Where a session goes: the emptiest lane of the worker with most free slots, taken in one Lua step.

Announcements are up to a second old, so they only say whom to ask; the script alone decides.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from redis.asyncio import Redis

from control.sessions.queue_order import Waiting
from control.sessions.slot_request import QUEUE_TTL_S, SlotRequest, lane_keys, whom_to_ask
from control.sessions.slot_scripts import PLACE, Slot
from control.sessions.store import SessionStore
from control.sessions.workers import WorkerInfo
from voicebackend._redis import redis_errors
from voicebackend.errors import ProviderNotFound, SessionLimitExceeded
from voicebackend.keys import Keys
from voicebackend.limits import Limits
from voicebackend.record import LIVE_TTL_S, SessionRecord

MAX_ASKED = 64
"""Workers that one step looks at: it must not hold up Redis."""


def able_workers(workers: Iterable[WorkerInfo], provider: str) -> list[WorkerInfo]:
    """Return the workers that have the provider and take new sessions.

    Raises:
        ProviderNotFound: no worker has it; the details list what there is.

    """
    everyone = list(workers)
    having = [worker for worker in everyone if provider in worker.providers]
    if not having:
        known = sorted({name for worker in everyone for name in worker.providers})
        message = f"no worker announces the provider {provider!r}"
        raise ProviderNotFound("place", message, details={"provider": provider, "known": known})
    return [worker for worker in having if worker.takes_sessions]


def in_batches(workers: Iterable[WorkerInfo], *, tie: Callable[[], float] = random.random) -> list[list[WorkerInfo]]:
    """Return workers in the order to ask them, so many at a time: most free slots first, equals in random order.

    ``tie`` gives a number from 0 to 1 for each worker. There is always a batch, if an empty one.
    """
    best_first = sorted(workers, key=lambda worker: (-_free(worker), tie()))
    return [best_first[start : start + MAX_ASKED] for start in range(0, len(best_first) or 1, MAX_ASKED)]


def _free(worker: WorkerInfo) -> float:
    return math.inf if worker.unlimited else worker.slots_free


class Placement:
    """Gives sessions their slots; ``redis`` is the ``state`` role."""

    def __init__(self, redis: Redis, keys: Keys, store: SessionStore) -> None:
        self._redis, self._keys, self._store = redis, keys, store
        self._place = redis.register_script(PLACE)

    async def admit(
        self, record: SessionRecord, workers: Sequence[WorkerInfo], limits: Limits, *, max_wait_s: float = 0.0
    ) -> SessionRecord:
        """Write a new record with its slot, or with its place in the queue where it may wait, and return it.

        ``workers`` are those that have its provider and take sessions.

        Raises:
            SessionLimitExceeded: there is no slot, and none to wait for, or the tenant has its share.
            RateLimitExceeded: the tenant creates too fast.

        """
        batches = in_batches(workers)
        for batch in batches[:-1]:
            try:
                return await self._store.create(record, SlotRequest(workers=batch, limits=limits))
            except SessionLimitExceeded as refused:
                if refused.details.get("limit") != "slots":
                    raise
        waiting = None
        if max_wait_s:
            record = replace(record, queue_until=record.created_at + max_wait_s)
            waiting = waiting_of(record)
        return await self._store.create(record, SlotRequest(workers=batches[-1], limits=limits, waiting=waiting))

    async def place(self, waiting: Waiting, provider: str, workers: Sequence[WorkerInfo]) -> Slot:
        """Give a waiting session a slot with one of these workers, if there is one; then its record says where."""
        keys = [self._keys.session(waiting.session), self._keys.queue(provider), self._keys.queue_turns(provider)]
        now = time.time()
        plan: dict[str, Any] = {
            "id": waiting.session,
            "now": repr(now),
            "now_ms": f"{now * 1000:.3f}",
            "tenant": waiting.tenant,
            "ticket": waiting.ticket(),
            "queue_ttl": QUEUE_TTL_S,
            "live_ttl": LIVE_TTL_S,
        }
        slot = Slot.FULL
        for batch in in_batches(workers):
            asked = json.dumps({**plan, **whom_to_ask(self._keys, batch)})
            with redis_errors("place"):
                reply: list[bytes] = await self._place([*keys, *lane_keys(self._keys, batch)], [asked])
            slot = Slot(reply[0].decode())
            if slot is not Slot.FULL:
                break
        return slot


def waiting_of(record: SessionRecord) -> Waiting:
    """Return a queued record as it stands in the queue."""
    return Waiting(session=record.id, tenant=record.tenant, since=record.created_at, until=record.queue_until)
