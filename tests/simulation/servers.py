"""The two Redis roles as models: the same operations as the product's scripts, each one step, in virtual time.

``test_model.py`` holds them against the real scripts in a real Redis.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

from worker.lanes.plan import Member, Orphan, next_epoch

Asked = tuple[str, int, frozenset[int]]
"""A worker as admission asks about it: id, slots (0 is unlimited), announced lanes."""
_GONE: Any = object()
_MEMBER_TTL_MS = 5_000
_VIEW_MS = 10


@dataclass(frozen=True, slots=True)
class Held:
    """A lease."""

    worker: str
    epoch: int
    ends_ms: int


@dataclass(frozen=True, slots=True)
class Claim:
    """What a worker claims a lane with."""

    worker: str
    lane: int
    floor: int
    """Epoch that ``audio`` knows."""
    ttl_ms: int
    held: int = 0
    """Epoch under which it held the lane until now: nobody may have had it since."""
    new: bool = False
    """Only if the lane never was anybody's."""
    most: int = 0
    """Sessions that a takeover may bring it to; 0 is unlimited."""


@dataclass(frozen=True, slots=True)
class Row:
    """A session's record, as far as placement goes."""

    state: str
    lane: int
    worker: str = ""
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class Announced:
    """A worker's announcement."""

    member: Member
    ends_ms: int


@dataclass(frozen=True, slots=True)
class View:
    """What a worker sees when it looks around."""

    announced: list[Announced]
    orphans: dict[int, Orphan]
    up_ms: int
    """Since ``state`` started."""
    now_ms: int
    """Clock of ``state``."""


class Audio:
    """The ``audio`` role: the copies of the epochs. It comes back empty."""

    def __init__(self) -> None:
        self.up, self.incarnation = True, 0
        self.epochs: dict[int, int] = {}

    def epoch(self, lane: int) -> int:
        """Return the copy of a lane's epoch."""
        return self.epochs.get(lane, 0)

    def raise_epoch(self, lane: int, epoch: int) -> None:
        """Note a lane's epoch; it never falls."""
        self.epochs[lane] = max(self.epochs.get(lane, 0), epoch)

    def restart(self) -> None:
        """Lose everything."""
        self.epochs.clear()
        self.incarnation += 1


class State:
    """The ``state`` role: leases, epochs, slots, records, announcements. A restart may lose the last writes."""

    def __init__(self, clock: Callable[[], int], epoch_rule: Callable[[int, int, int], int] = next_epoch) -> None:
        self.up, self.incarnation = True, 0
        self.started_ms = clock() - 3_600_000
        self.clock = clock
        """Milliseconds since the epoch."""
        self.leases: dict[int, Held] = {}
        self.epochs: dict[int, int] = {}
        self.slots: dict[int, frozenset[str]] = {}
        """Sessions by lane; no lane without sessions."""
        self.rows: dict[str, Row] = {}
        self.members: dict[str, Announced] = {}
        self._epoch_rule = epoch_rule
        self._claimed: dict[str, set[int]] = {}
        self._view: View | None = None
        self._undo: list[tuple[int, dict[Any, Any], Any, Any]] = []

    # ------------------------------------------------------------ leases: worker/lease.py

    def holder(self, lane: int) -> Held | None:
        """Return the lease, if it has not run out."""
        held = self.leases.get(lane)
        return held if held is not None and held.ends_ms > self.clock() else None

    def claim(self, claim: Claim) -> int:
        """Lease a lane that nobody else holds: its new epoch, or 0."""
        held, now = self.holder(claim.lane), self.clock()
        last = max(self.epochs.get(claim.lane, 0), claim.floor)
        if held is not None:
            if held.worker != claim.worker:
                return 0
        elif (claim.held and last > claim.held) or (claim.new and last):
            return 0
        if claim.most and not claim.held:
            sessions = self.slots.get(claim.lane)
            if sessions and len(sessions) + self.used(claim.worker) > claim.most:
                return 0
        epoch = self._epoch_rule(self.epochs.get(claim.lane, 0), claim.floor, now)
        self._put(self.epochs, claim.lane, epoch)
        self._claimed.setdefault(claim.worker, set()).add(claim.lane)
        self._put(self.leases, claim.lane, Held(claim.worker, epoch, now + claim.ttl_ms))
        return epoch

    def leased(self, worker: str) -> dict[int, int]:
        """Return the sessions in each lane that a worker has leased."""
        now, slots = self.clock(), self.slots
        return {
            lane: len(slots.get(lane, ()))
            for lane in self._claimed.get(worker, ())
            if (held := self.leases.get(lane)) is not None and held.worker == worker and held.ends_ms > now
        }

    def used(self, worker: str) -> int:
        """Return the sessions in all of them."""
        return sum(self.leased(worker).values())

    def _lapsed(self, worker: str) -> int:
        """Return the sessions in the lanes that a worker had and nobody holds: it may have them again."""
        free = (lane for lane in self._claimed.get(worker, ()) if self.holder(lane) is None)
        return sum(len(self.slots.get(lane, ())) for lane in free)

    def renew(self, worker: str, lanes: Iterable[tuple[int, int]], ttl_ms: int) -> dict[int, bool | None]:
        """Renew leases given as lane and epoch: True renewed, False nobody holds it, None another does."""
        now, results = self.clock(), dict[int, bool | None]()
        for lane, epoch in lanes:
            held = self.holder(lane)
            if held is not None and (held.worker, held.epoch) == (worker, epoch):
                self._put(self.leases, lane, Held(worker, epoch, now + ttl_ms))
                results[lane] = True
            else:
                results[lane] = None if held is not None else False
        return results

    def release(self, worker: str, lane: int, epoch: int) -> None:
        """Give a lease up."""
        held = self.holder(lane)
        if held is not None and (held.worker, held.epoch) == (worker, epoch):
            self._put(self.leases, lane, _GONE)
            self._claimed.get(worker, set()).discard(lane)

    # ------------------------------------------------------------ sessions: control/sessions/scripts.py

    def admit(self, session: str, workers: Iterable[Asked]) -> str:
        """Write a record with a slot in the emptiest lane of the worker with most free slots, or refuse it."""
        if session in self.rows:
            return "exists"
        best: tuple[float, int] | None = None
        place, all_slots, counted = 0, 0.0, set[int]()
        for worker, slots, announced in workers:
            leased = self.leased(worker)
            used = sum(leased.values()) + self._lapsed(worker)
            all_slots += slots or math.inf
            counted |= leased.keys() | {lane for lane in self._claimed.get(worker, ()) if self.holder(lane) is None}
            able = [(taken, lane) for lane, taken in leased.items() if lane in announced]
            free = slots - used if slots else math.inf
            if able and free > 0 and (best is None or free > best[0] or (free == best[0] and used < best[1])):
                best, place = (free, used), min(able)[1]
        nobodys = {lane for lane in self.slots if self.holder(lane) is None}
        if best is None or sum(len(self.slots.get(lane, ())) for lane in counted | nobodys) >= all_slots:
            return "full"
        lease = self.leases[place]
        self._put(self.slots, place, self.slots.get(place, frozenset()) | {session})
        self._put(self.rows, session, Row("starting", place, lease.worker, lease.epoch))
        return f"taken:{place}"

    def ready(self, session: str, lane: int) -> None:
        """Note that a session runs."""
        row = self.rows.get(session)
        if row is not None and row.state == "starting" and row.lane == lane:
            self._put(self.rows, session, replace(row, state="ready"))

    def free(self, session: str, lane: int) -> None:
        """End a session and free its slot."""
        row = self.rows.get(session)
        if row is None or row.lane == lane:
            self._put(self.rows, session, Row("ended", lane))
        left = self.slots.get(lane, frozenset()) - {session}
        self._put(self.slots, lane, left or _GONE)

    def keep(self, worker: str, lane: int, epoch: int, sessions: Iterable[str]) -> list[str] | None:
        """Let a lane's holder restore the slots of sessions it runs: those that are not its own, or None: not held.

        In the product: ``worker/lanes/registration.py``.
        """
        held = self.holder(lane)
        if held is None or (held.worker, held.epoch) != (worker, epoch):
            return None
        foreign = []
        for session in sessions:
            row, here = self.rows.get(session), Row("ready", lane, worker, epoch)
            if row is not None and (row.lane != lane or row.state == "ended" or row.epoch > epoch):
                foreign.append(session)
                continue
            if row != here:
                self._put(self.rows, session, here)
            if session not in self.slots.get(lane, ()):
                self._put(self.slots, lane, self.slots.get(lane, frozenset()) | {session})
        return foreign

    # ------------------------------------------------------------ what workers see

    def announce(self, member: Member) -> None:
        """Write an announcement, by this server's clock."""
        now = self.clock()
        self.members[member.id] = Announced(replace(member, seen_ms=now), now + _MEMBER_TTL_MS)

    def withdraw(self, worker: str) -> None:
        """Take an announcement back."""
        self.members.pop(worker, None)

    def announced(self) -> list[Announced]:
        """Return the announcements that have not run out."""
        now = self.clock()
        return [said for said in self.members.values() if said.ends_ms > now]

    def view(self) -> View:
        """Return what a worker sees; computed at most every few milliseconds, because a thousand workers look."""
        now = self.clock()
        if self._view is None or now - self._view.now_ms > _VIEW_MS:
            self._view = View(self.announced(), self.orphans(), now - self.started_ms, now)
        return self._view

    def orphans(self) -> dict[int, Orphan]:
        """Return lanes with sessions and without holder."""
        now, leases = self.clock(), self.leases
        found = {}
        for lane, sessions in self.slots.items():
            held = leases.get(lane)
            if held is None or held.ends_ms <= now:
                found[lane] = Orphan(lane=lane, sessions=len(sessions))
        return found

    # ------------------------------------------------------------ restarts

    def restart(self, lost_ms: int) -> None:
        """Come back without the writes of the last milliseconds."""
        now = self.clock()
        while self._undo and self._undo[-1][0] > now - lost_ms:
            _, table, key, before = self._undo.pop()
            _set(table, key, before)
        self._undo.clear()
        self.members.clear()
        self.incarnation += 1
        self._view = None
        self.started_ms = now

    def _put(self, table: dict[Any, Any], key: Any, value: Any) -> None:
        self._undo.append((self.clock(), table, key, table.get(key, _GONE)))
        _set(table, key, value)


def _set(table: dict[Any, Any], key: Any, value: Any) -> None:
    if value is _GONE:
        table.pop(key, None)
    else:
        table[key] = value
