"""Which lanes a worker takes over: pure rules over what workers announce.

Every worker decides for itself, from announcements that may be a second old. So the rules are deterministic: workers
that see the same announcements pick different lanes. Who is wrong loses one call, because the lease decides.
"""

from __future__ import annotations

import heapq
import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

TAKEOVER_EXCESS = 0.25
"""Part of its slots by which a takeover may exceed them. Admission may not."""
PATIENCE_MS = 300
"""Milliseconds that a lane without holder is left to the worker that is placed best for it."""
STAGGER_MS = 50
"""Milliseconds between the others that try once that worker did not."""
STAGGERED = 8
"""Others that try one after another; the rest try together."""
SEEN_MS = 1_200
"""Milliseconds after which a worker that announced nothing more is not counted on."""
UNLIMITED_SLOTS = 100
"""Slots that a worker without a limit is compared by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A worker, as it announced itself."""

    id: str
    lanes: Mapping[int, int]
    """Sessions in each lane it holds."""
    slots_total: int
    """Sessions it may hold; 0 is unlimited."""
    slots_used: int
    """Sessions it holds."""
    providers: frozenset[str] = frozenset()
    """Providers it can run."""
    draining: bool = False
    """It is about to leave and takes nothing."""
    admitting: bool = True
    """It takes new sessions; False while its event loop lags."""
    settled: bool = True
    """It may claim lanes of others; False for a while after ``state`` was away, while owners come first."""
    seen_ms: int = 0
    """Clock of ``state`` when it announced this, milliseconds since the epoch. A worker's own clock would not do."""

    @property
    def fullness(self) -> float:
        """Return which part of its slots is used, 0 and up."""
        return self.fullness_with(0)

    def fullness_with(self, sessions: int) -> float:
        """Return how full it would be with so many sessions more, or fewer."""
        return (self.slots_used + sessions) / (self.slots_total or UNLIMITED_SLOTS)

    @property
    def takeover_room(self) -> float:
        """Return the sessions that it may still take over; infinite without a limit, negative if it has too many."""
        return math.floor(self.slots_total * (1 + TAKEOVER_EXCESS)) - self.slots_used if self.slots_total else math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """A lane with sessions and without a holder."""

    lane: int
    sessions: int
    providers: frozenset[str] = frozenset()
    """Providers that its sessions need."""
    lapsed_ms: int = 0
    """Milliseconds since this worker first saw it without a holder."""
    takeovers: int = 0
    """Takeovers so far without progress."""


def next_epoch(last_in_state: int, last_in_lane: int, redis_ms: int) -> int:
    """Return the epoch of a claim: greater than any before, also after either server lost its memory.

    The arguments are the last epochs that ``state`` and ``audio`` know of, and the clock of ``state`` in milliseconds.
    """
    return max(last_in_state, last_in_lane, redis_ms) + 1


def to_claim(
    me: Member, members: Iterable[Member], orphans: Sequence[Orphan], *, now_ms: int, may_claim_foreign: bool
) -> list[int]:
    """Return the lanes to claim now, busiest first. ``members`` may contain ``me``, which counts as given.

    Each lane goes to the worker with most room among those that announce every provider it needs. The others wait a
    little, one after another, in case that worker is gone. A takeover may fill a worker up to 125 % of its slots.
    ``now_ms`` is the clock of ``state``; ``may_claim_foreign`` is False while owners come first.
    """
    if not may_claim_foreign or me.draining or not orphans:
        return []
    able = [me, *others(me, members, now_ms)]
    best = _deal(orphans, able)
    room, claims = me.takeover_room, []
    for orphan in sorted(orphans, key=_busiest):
        mine = best.get(orphan.lane) == me.id or orphan.lapsed_ms >= _turn_ms(me, able, orphan.lane)
        if mine and orphan.sessions <= room and orphan.providers <= me.providers:
            claims.append(orphan.lane)
            room -= orphan.sessions
    return claims


def _busiest(orphan: Orphan) -> tuple[int, int]:
    return -orphan.sessions, orphan.lane


def others(me: Member, members: Iterable[Member], now_ms: int) -> list[Member]:
    """Return the other workers that take lanes and were seen lately."""
    able = (member for member in members if member.id != me.id and member.settled and not member.draining)
    return [member for member in able if now_ms - member.seen_ms < SEEN_MS]


def _deal(orphans: Sequence[Orphan], able: Sequence[Member]) -> dict[int, str]:
    """Deal lanes out, busiest first, each to whoever would then be emptiest: by lane the id of its worker."""
    heap = [
        (member.fullness, _spread(orphans[0].lane, member.id), member.id, member, 0)
        for member in able
        if member.admitting
    ]
    heapq.heapify(heap)
    dealt: dict[int, str] = {}
    for orphan in sorted(orphans, key=_busiest):
        passed = []
        while heap:
            _, spread, name, member, dealt_to = entry = heapq.heappop(heap)
            if orphan.providers <= member.providers and orphan.sessions + dealt_to <= member.takeover_room:
                dealt[orphan.lane] = member.id
                more = dealt_to + max(orphan.sessions, 1)
                passed.append((member.fullness_with(more), spread, name, member, more))
                break
            passed.append(entry)
        for entry in passed:
            heapq.heappush(heap, entry)
    return dealt


def _turn_ms(me: Member, able: Sequence[Member], lane: int) -> int:
    """Return after how many milliseconds it is this worker's turn at a lane dealt to another."""
    mine = _spread(lane, me.id)
    before = sum(_spread(lane, member.id) < mine for member in able)
    return PATIENCE_MS + STAGGER_MS * min(before, STAGGERED)


def _spread(lane: int, worker: str) -> int:
    """Return a worker's place in a lane's queue: equal workers stand in another order for each lane."""
    return zlib.crc32(f"{lane}:{worker}".encode())
