"""What must never happen, checked at every event; and what must be so in the end. It sees everything."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from worker.lanes.plan import TAKEOVER_EXCESS

if TYPE_CHECKING:
    from servers import Claim
    from workers import SimLane, SimWorker
    from world import World

HEARD_TIMES = 6
"""Every session's worker must have been heard within so many times that it speaks, at the end."""
MOST_MOVES = 2
"""Times that a lane may be handed over once nothing else changes."""


class InvariantBroken(AssertionError):
    """The rules let something happen that must not."""


class Oracle:
    """Knows who claimed, who spoke, who was heard."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.claimed: dict[int, tuple[int, str]] = {}
        """By lane, the highest epoch ever issued and to whom."""
        self.heard: dict[str, tuple[int, str, float]] = {}
        """By session: epoch and worker of the last audio that the gateway let through, and when."""
        self.moves = Counter[int]()
        """Lanes handed over since nothing else changes."""
        self.takeovers = self.accepted = self.fenced = self.overlaps = 0

    def on_claim(self, claim: Claim, epoch: int, known: int) -> None:
        """Check a claim that succeeded; ``known`` is the last epoch that either server remembered."""
        worker, lane = claim.worker, claim.lane
        before, holder = self.claimed.get(lane, (0, ""))
        self.demand(
            epoch > before, "lane {}: epoch {} of {} is not after {} of {}", lane, epoch, worker, before, holder
        )
        fine = not claim.held or holder == worker or known < before
        self.demand(fine, "{} takes lane {} back from {}", worker, lane, holder)
        self.claimed[lane] = (epoch, worker)
        sessions = len(self.world.state.slots.get(lane, ()))
        if not sessions or claim.held:
            return
        self.takeovers += 1
        slots = self.world.workers[worker].slots
        most = math.floor(slots * (1 + TAKEOVER_EXCESS))
        used = self.world.state.used(worker)
        self.demand(used <= most, "{} took lane {} over and has {} sessions: {} at most", worker, lane, used, most)

    def on_slot(self, worker: str, lane: int, session: str) -> None:
        """Check a slot that was taken."""
        self.accepted += 1
        used, slots = self.world.state.used(worker), self.world.workers[worker].slots
        self.demand(used <= slots, "{} was given session {} as the {}. of {} slots", worker, session, used, slots)
        for other, sessions in self.world.state.slots.items():
            self.demand(other == lane or session not in sessions, "{} has slots in {} and {}", session, lane, other)

    def on_speech(self, worker: SimWorker, lane: SimLane) -> None:
        """Check that whoever is sure of its lease speaks only while nobody has claimed the lane since."""
        latest, holder = self.claimed[lane.number]
        if latest == lane.epoch or holder == worker.id:
            return
        self.overlaps += 1
        sure = lane.is_sure(worker.local_s)
        self.demand(not sure, "{} speaks in {} after {} claimed it under {}", worker, lane, holder, latest)

    def on_audio(self, worker: str, epoch: int, sessions: tuple[str, ...], *, fenced: bool) -> None:
        """Let audio through the gateway's fence, or not, and check that it is one speaker's."""
        for session in sessions:
            last, speaker, _ = self.heard.get(session, (0, "", 0.0))
            if fenced and epoch < last:
                self.fenced += 1
                continue
            fine = epoch > last or (epoch == last and worker == speaker)
            self.demand(fine, "{} hears {} under {} after {} under {}", session, worker, epoch, speaker, last)
            self.heard[session] = (epoch, worker, self.world.timeline.now)

    def on_move(self, lane: int) -> None:
        """Count a lane that is handed over while all is quiet."""
        self.moves[lane] += 1
        self.demand(self.moves[lane] <= MOST_MOVES, "lane {} goes back and forth", lane)

    # ------------------------------------------------------------ in the end

    def in_the_end(self) -> None:
        """Check that every session lives in one place and is heard from there."""
        state = self.world.state
        places = Counter(session for sessions in state.slots.values() for session in sessions)
        for session in self.world.live:
            row = state.rows.get(session)
            if row is None:
                self.demand(session not in self.world.calls.told, "{} is lost", session)
                self.demand(not self.free_slot(), "{} was refused though there is a free slot", session)
                continue
            self.demand(places[session] == 1, "{} has {} slots", session, places[session])
            self.served(session, row.lane)
        for session, slots in places.items():
            self.demand(session in self.world.live, "{} is over and has {} slots", session, slots)

    def served(self, session: str, lane: int) -> None:
        """Check that a session's lane has a holder that runs it and is heard."""
        held = self.world.state.holder(lane)
        if held is None:
            self.demand(not self.takeover_fits(lane), "lane {} of {} has no holder", lane, session)
            return
        worker = self.world.workers[held.worker]
        mine = worker.lanes.get(lane)
        self.demand(
            mine is not None and session in mine.sessions, "{} does not run {} of lane {}", worker, session, lane
        )
        epoch, speaker, at = self.heard.get(session, (0, "", -math.inf))
        fine = speaker == held.worker and self.world.timeline.now - at < HEARD_TIMES * self.world.speak_ms
        self.demand(fine, "{} of {} is not heard: last was {} under {} at {:.0f}", session, held, speaker, epoch, at)

    def free_slot(self) -> bool:
        """Tell whether a session could be placed.

        What a takeover put beyond one worker's slots is on its way to the free slots of another: admission leaves them.
        """
        staying, used = self.staying(), self.world.state.used
        return sum(used(worker.id) for worker in staying) < sum(worker.slots for worker in staying)

    def takeover_fits(self, lane: int) -> bool:
        """Tell whether any worker has room for a lane."""
        sessions = len(self.world.state.slots[lane])
        state = self.world.state
        most = 1 + TAKEOVER_EXCESS
        return any(state.used(worker.id) + sessions <= worker.slots * most for worker in self.staying())

    def staying(self) -> list[SimWorker]:
        """Return the workers that are there and stay."""
        return [worker for worker in self.world.running() if not worker.draining]

    def demand(self, fine: bool, text: str, *args: object) -> None:
        """Raise unless it is fine."""
        if not fine:
            raise InvariantBroken(text.format(*args))
