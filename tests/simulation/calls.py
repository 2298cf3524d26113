"""Callers and control: sessions begin, are placed by the product's rules, and end; the reconciler repairs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from network import Process
from servers import Announced

from control.sessions.placement import in_batches
from control.sessions.workers import WorkerInfo

if TYPE_CHECKING:
    from world import World

RECONCILE_MS = 1_500
READ_MS = 100.0


class Calls(Process):
    """The control plane."""

    def __init__(self, world: World) -> None:
        super().__init__(world.timeline)
        self.world, self.net, self.state = world, world.network, world.state
        self._read_at, self._able = -READ_MS, list[list[WorkerInfo]]()
        self.told = set[str]()
        """Sessions whose creation was answered."""

    def start(self) -> None:
        """Begin to repair."""
        self.after(RECONCILE_MS, self.reconcile)

    def create(self, session: str, lasts_ms: float) -> None:
        """Begin a session that ends after a while."""
        self.world.live.add(session)
        self.admit(session)
        self.after(lasts_ms, self.hang_up, session)

    def admit(self, session: str) -> None:
        """Read what workers announce, and ask for a slot. The caller who is refused, or hears nothing, asks again."""
        self.net.ask(self, self.state, self.able, partial(self.attempt, session), nothing)

    def able(self) -> list[list[WorkerInfo]]:
        """Return the workers to ask, in batches, read once for all who ask within a moment, as control does."""
        now = self.timeline.now
        if now - self._read_at >= READ_MS:
            announced = self.state.announced()
            self._read_at = now
            able = [info(said) for said in announced if said.member.admitting and not said.member.draining]
            self._able = in_batches(able, tie=self.world.rng.random)
        return self._able

    def attempt(self, session: str, batches: list[list[WorkerInfo]]) -> None:
        """Ask for a slot with the first workers, then with the next."""
        first, *others = batches

        def answered(verdict: str) -> None:
            if verdict.startswith("taken"):
                self.told.add(session)
                self.net.send(self.world.begin, int(verdict.partition(":")[2]), session)
            elif verdict == "full" and others:
                self.attempt(session, others)

        asked = [(worker.id, worker.slots_total, frozenset(worker.lanes)) for worker in first]
        self.net.ask(self, self.state, partial(self.state.admit, session, asked), answered, nothing)

    def hang_up(self, session: str) -> None:
        """End a session: its caller has left."""
        self.world.live.discard(session)
        row = self.state.rows.get(session)
        if row is not None:
            self.net.send(self.world.end, row.lane, session)

    def reconcile(self) -> None:
        """Repair what differs from what should be: records, slots, starts and ends that got lost."""
        self.after(RECONCILE_MS, self.reconcile)
        state = self.state
        if not state.up or state.clock() - state.started_ms < self.world.rules.grace_ms:
            return
        for session in sorted(self.world.live):
            row = state.rows.get(session)
            if row is None and session in self.told:
                self.forgotten(session)
            elif row is None:
                self.admit(session)
            elif row.state == "starting" or not self.world.served(session, row.lane):
                self.net.send(self.world.begin, row.lane, session)
        self.end_over()

    def forgotten(self, session: str) -> None:
        """Give a session up that ``state`` forgot in its restart before any worker had it: its caller comes again."""
        if not any(session in lane.sessions for worker in self.world.running() for lane in worker.lanes.values()):
            self.world.live.discard(session)

    def end_over(self) -> None:
        """Tell the holders of sessions whose callers have left."""
        state = self.state
        over = [(s, row.lane) for s, row in state.rows.items() if row.state != "ended" and s not in self.world.live]
        for session, lane in over:
            self.net.send(self.world.end, lane, session)


def nothing(*_: object) -> None:
    """Leave it: the reconciler sees to it."""


def info(said: Announced) -> WorkerInfo:
    """Return an announcement as control reads it."""
    member = said.member
    return WorkerInfo(
        id=member.id,
        slots_total=member.slots_total,
        slots_free=max(0, member.slots_total - member.slots_used),
        lanes=member.lanes,
    )
