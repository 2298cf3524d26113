"""A whole deployment in virtual time: servers, network, workers, callers, and the oracle that watches."""

from __future__ import annotations

import random
from collections.abc import Iterable

from calls import Calls
from network import Network
from oracle import InvariantBroken, Oracle
from rules import Rules
from servers import Asked, Audio, Claim, State
from timeline import Timeline
from workers import SimLane, SimWorker

from worker.lease import Lease

WALL_MS = 1_800_000_000_000
MOMENT_MS = 700


class WatchedState(State):
    """``state``, watched by the oracle."""

    oracle: Oracle

    def claim(self, claim: Claim) -> int:
        """Watch claims that succeed."""
        known = max(claim.floor, self.epochs.get(claim.lane, 0))
        epoch = super().claim(claim)
        if epoch:
            self.oracle.on_claim(claim, epoch, known)
        return epoch

    def admit(self, session: str, workers: Iterable[Asked]) -> str:
        """Watch slots that are taken."""
        verdict = super().admit(session, workers)
        if verdict.startswith("taken"):
            self.oracle.on_slot(self.rows[session].worker, self.rows[session].lane, session)
        return verdict


class World:
    """One run of the simulation; everything random comes from ``seed``."""

    def __init__(self, seed: int, rules: Rules | None = None, *, speak_ms: float = 150) -> None:
        self.seed, self.rules, self.speak_ms = seed, rules or Rules(), speak_ms
        self.rng = random.Random(seed)  # noqa: S311  (a simulation, not a secret)
        self.timeline = Timeline()
        self.network = Network(self.timeline, self.rng)
        self.wall_ms = WALL_MS
        self.state = WatchedState(lambda: self.wall_ms + int(self.timeline.now), self.rules.next_epoch)
        self.audio = Audio()
        self.workers: dict[str, SimWorker] = {}
        """All there ever were, by id."""
        self.live: set[str] = set()
        """Sessions whose callers are there."""
        self.oracle = self.state.oracle = Oracle(self)
        self.calls = Calls(self)
        self.called = 0
        """Sessions that were ever created."""
        self.quiet = False
        """Nothing changes any more but by the workers' own rules."""

    # ------------------------------------------------------------ workers

    def add_worker(self, slots: int, wanted: int = 4) -> SimWorker:
        """Start a worker with a clock of its own."""
        rate, offset = self.rng.uniform(0.99, 1.01), self.rng.uniform(-1e7, 1e7)
        worker_id = f"w{len(self.workers)}"
        worker = SimWorker(self, worker_id, slots=slots, wanted=wanted, rate=rate, offset_ms=offset)
        self.workers[worker_id] = worker
        self.timeline.note("{} starts with {} slots", worker, slots)
        worker.start()
        return worker

    def running(self) -> list[SimWorker]:
        """Return the workers that are there."""
        return [worker for worker in self.workers.values() if not worker.dead]

    def left(self, worker: SimWorker) -> None:
        """Note that a worker has drained: it leaves."""
        self.timeline.note("{} has drained", worker)
        self.state.withdraw(worker.id)
        worker.die()

    def moved(self, worker: SimWorker, lane: int) -> None:
        """Note that a lane is handed over."""
        if self.quiet and not worker.draining:
            self.oracle.on_move(lane)

    def settle(self, lanes: int) -> None:
        """Give every worker its lanes as if they had always had them: no worker looks for lanes at the beginning."""
        for index, worker in enumerate(self.running()):
            for number in range(index * lanes, (index + 1) * lanes):
                epoch = self.state.claim(Claim(worker.id, number, 0, self.rules.ttl_ms))
                lease = Lease(lane=number, worker=worker.id, epoch=epoch)
                worker.lanes[number] = SimLane(lease, worker.local_s, set())

    # ------------------------------------------------------------ lanes and inboxes

    def begin(self, lane: int, session: str) -> None:
        """Hand START to whoever reads the lane."""
        row = self.state.rows.get(session)
        if row is None or row.lane != lane:
            return
        for worker in self.running():
            if lane in worker.lanes:
                worker.do(self._begin, worker, lane, session)

    def _begin(self, worker: SimWorker, lane: int, session: str) -> None:
        if lane in worker.lanes:
            worker.begin(lane, session)

    def served(self, session: str, lane: int) -> bool:
        """Tell whether the lane's holder runs a session."""
        held = self.state.holder(lane)
        mine = self.workers[held.worker].lanes.get(lane) if held is not None else None
        return mine is not None and session in mine.sessions

    def end(self, lane: int, session: str) -> None:
        """Hand the caller's end to whoever reads the lane."""
        for worker in self.running():
            if lane in worker.lanes:
                worker.do(self._end, worker, lane, session)

    def _end(self, worker: SimWorker, lane: int, session: str) -> None:
        if lane in worker.lanes:
            worker.end(lane, session)

    def spoken(self, worker: SimWorker, lane: SimLane) -> None:
        """Carry audio to the gateway."""
        self.oracle.on_speech(worker, lane)
        self.transmit(worker.id, lane.epoch, tuple(lane.sessions))

    def transmit(self, worker: str, epoch: int, sessions: tuple[str, ...]) -> None:
        """Carry audio that a worker let out of its hands."""
        self.network.send(self._hear, worker, epoch, sessions)

    def _hear(self, worker: str, epoch: int, sessions: tuple[str, ...]) -> None:
        self.oracle.on_audio(worker, epoch, sessions, fenced=self.rules.fenced)

    # ------------------------------------------------------------ running

    def run(self, until_ms: float) -> None:
        """Let time pass.

        Raises:
            InvariantBroken: with the seed and the last events.

        """
        try:
            self.timeline.run(until_ms)
        except InvariantBroken as broken:
            raise InvariantBroken(self.report(str(broken))) from None

    def check_end(self) -> None:
        """Check what must be so in the end; raises like ``run``. A lane on its way gets a moment."""
        problem: InvariantBroken | None = None
        for _ in range(3):
            try:
                self.oracle.in_the_end()
                return
            except InvariantBroken as broken:
                problem = broken
            self.run(self.timeline.now + MOMENT_MS)
        raise InvariantBroken(self.report(str(problem)))

    def report(self, what: str) -> str:
        """Return what happened, for a human."""
        return f"seed {self.seed}: {what}\n{self.timeline.last()}"

    def summary(self) -> str:
        """Return what a run that went well was like."""
        oracle = self.oracle
        return (
            f"seed {self.seed}: {len(self.running())} workers, {len(self.live)} sessions, "
            f"{oracle.accepted} slots taken, {oracle.takeovers} takeovers, {oracle.fenced} times fenced, "
            f"{self.timeline.events} events"
        )
