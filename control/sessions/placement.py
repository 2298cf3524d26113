"""Where a new session goes: the lane with most room of the worker with most room, taken in one Lua step.

Announcements are up to a second old, so they only say where to look first; the script alone decides.
"""

from __future__ import annotations

import logging
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from redis.asyncio import Redis

from control.sessions.scripts import TAKE_SLOT
from control.sessions.workers import WorkerInfo, announced_workers
from voicebackend._redis import redis_errors
from voicebackend.errors import ProviderNotFound, SessionLimitExceeded
from voicebackend.keys import Keys
from voicebackend.record import LIVE_TTL_S

logger = logging.getLogger(__name__)


class Slot(StrEnum):
    """What came of asking for a slot."""

    TAKEN = "taken"
    LOST = "lost"
    """The worker no longer holds the lane."""
    PLACED = "placed"
    """The session is not pending: someone else has placed or ended it."""
    FULL = "full"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A lane that may have room."""

    worker: str
    lane: int
    cap: int
    """Sessions that fit; 0 is unlimited."""


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
    return [worker for worker in having if not worker.draining]


def candidates(
    workers: Iterable[WorkerInfo], used: Mapping[int, int], *, tie: Callable[[], float] = random.random
) -> list[Candidate]:
    """Return lanes with room, best first: workers by free slots, then their lanes by room; equals in random order.

    ``used`` has the number of sessions in each lane; ``tie`` gives a number from 0 to 1 for each comparison.
    """
    best_first = sorted(workers, key=lambda worker: (-_free(worker), tie()))
    return [candidate for worker in best_first for candidate in _lanes(worker, used, tie)]


def _free(worker: WorkerInfo) -> float:
    return math.inf if worker.unlimited else worker.slots_free


def _lanes(worker: WorkerInfo, used: Mapping[int, int], tie: Callable[[], float]) -> Iterator[Candidate]:
    def room(lane: int) -> tuple[float, int]:
        taken, cap = used.get(lane, 0), worker.lanes[lane]
        return (cap - taken if cap else math.inf), -taken

    for lane in sorted(worker.lanes, key=lambda lane: (room(lane), tie()), reverse=True):
        if room(lane)[0] > 0:
            yield Candidate(worker=worker.id, lane=lane, cap=worker.lanes[lane])


class Placement:
    """Gives pending sessions their slots; ``redis`` is the ``state`` role."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis, self._keys = redis, keys
        self._take_slot = redis.register_script(TAKE_SLOT)

    async def place(self, session_id: str, provider: str) -> None:
        """Take a slot for a pending session; its record then says where. One that is not pending is left alone.

        Raises:
            ProviderNotFound: no worker has the provider.
            SessionLimitExceeded: no worker that has it has a free slot.

        """
        workers = able_workers(await announced_workers(self._redis, self._keys), provider)
        for candidate in candidates(workers, await self._used(workers)):
            slot = await self.take(session_id, candidate)
            if slot in {Slot.TAKEN, Slot.PLACED}:
                return
            logger.info("no slot", extra={"session_id": session_id, "lane": candidate.lane, "why": str(slot)})
        raise SessionLimitExceeded("place")

    async def take(self, session_id: str, candidate: Candidate) -> Slot:
        """Take a slot in this lane if its worker still holds it and it has room."""
        lane = candidate.lane
        keys = [self._keys.lease(lane), self._keys.lane_sessions(lane), self._keys.session(session_id)]
        with redis_errors("place"):
            reply = await self._take_slot(keys, [session_id, candidate.worker, lane, candidate.cap, LIVE_TTL_S])
        return Slot(reply.decode())

    async def _used(self, workers: Iterable[WorkerInfo]) -> dict[int, int]:
        lanes = sorted({lane for worker in workers for lane in worker.lanes})
        pipe = self._redis.pipeline(transaction=False)
        for lane in lanes:
            pipe.scard(self._keys.lane_sessions(lane))
        with redis_errors("place"):
            counts = await pipe.execute() if lanes else []
        return dict(zip(lanes, counts, strict=True))
