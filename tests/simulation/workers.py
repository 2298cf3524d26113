"""A streaming worker as the simulation sees it: leases, speaks, hands over, by the product's rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from network import Process
from servers import Announced, Claim, View

import worker.lane
from worker.lane import Lane
from worker.lanes.balance import to_create, to_drop
from worker.lanes.plan import TAKEOVER_EXCESS, Member
from worker.lease import Lease

if TYPE_CHECKING:
    from world import World

SAMPLE = 64
"""Other workers, and lanes without holder, that a worker looks at: with thousands it cannot look at all."""


class SimLane(Lane):
    """A lane held: the product's own notion of when it may speak, and its sessions by id."""

    def __init__(self, lease: Lease, now: float, sessions: set[str]) -> None:
        super().__init__(lease, now)
        self.sessions = sessions

    def is_sure(self, now: float) -> bool:
        """Tell whether its lease was confirmed lately: else it speaks because nobody answers, behind the fence."""
        return now - self._confirmed < worker.lane.MUTE_S


class SimWorker(Process):
    """One worker process; ``id`` is never used again."""

    def __init__(self, world: World, worker_id: str, *, slots: int, wanted: int, rate: float, offset_ms: float) -> None:
        super().__init__(world.timeline, rate=rate, offset_ms=offset_ms)
        self.world, self.rules, self.net, self.state = world, world.rules, world.network, world.state
        self.id, self.slots, self.wanted = worker_id, slots, wanted
        self.lanes: dict[int, SimLane] = {}
        self.claiming: set[int] = set()
        self.first_seen: dict[int, float] = {}
        """By orphaned lane, when this worker first saw it so."""
        self.draining = self.heal = False
        self.settled = True
        self.trouble = self.rebalanced = self.created = self.healed = -1e9

    def __str__(self) -> str:
        return self.id

    def start(self) -> None:
        """Begin at a random moment of the common rhythm."""
        chance = self.world.rng.random
        self.after(chance() * 50, self.look)
        self.after(chance() * self.rules.renew_ms, self.renew)
        self.after(chance() * self.world.speak_ms, self.speak)

    def member(self) -> Member:
        """Return what it announces."""
        lanes = {number: len(lane.sessions) for number, lane in self.lanes.items()}
        return Member(
            id=self.id,
            lanes=lanes,
            slots_total=self.slots,
            slots_used=sum(lanes.values()),
            draining=self.draining,
            settled=self.settled,
        )

    # ------------------------------------------------------------ leases

    def renew(self) -> None:
        """Renew every lease and announce itself, in one go."""
        held = [(number, lane.epoch) for number, lane in self.lanes.items()]
        member = self.member()

        def call() -> dict[int, bool | None]:
            self.state.announce(member)
            return self.state.renew(self.id, held, self.rules.ttl_ms)

        done = partial(self.renewed, dict(held), self.local_s)
        self.net.ask(self, self.state, call, done, partial(self.unanswered, self.local_s))

    def renewed(self, held: dict[int, int], asked: float, results: dict[int, bool | None]) -> None:
        """Note which leases still hold."""
        for number, result in results.items():
            lane = self.lanes.get(number)
            if lane is None or lane.epoch != held[number]:
                continue
            if result:
                lane.confirm(lane.lease, asked)
            elif result is None:
                self.lose(number)
            else:
                self.claim(number, held=lane.epoch)
        if self.heal or self.local_ms - self.healed >= self.rules.heal_ms:
            self.restore_slots()
        self.after(self.rules.renew_ms, self.renew)

    def unanswered(self, asked: float) -> None:
        """Note that nobody could be asked: it may speak on for a while."""
        for lane in self.lanes.values():
            lane.unanswered(asked)
        self.troubled(self.renew, self.rules.renew_ms)

    def troubled(self, again: Callable[[], None], delay_ms: float) -> None:
        """Note that ``state`` did not answer, and try again later."""
        self.trouble, self.heal = self.local_ms, True
        self.after(delay_ms, again)

    def lose(self, number: int) -> None:
        """Let go of a lane that another holds."""
        self.world.timeline.note("{} loses lane {}", self.id, number)
        del self.lanes[number]

    def claim(self, number: int, *, held: int = 0, new: bool = False) -> None:
        """Lease a lane: floor from ``audio``, claim in ``state``, copy to ``audio``, then its sessions."""
        if number in self.claiming:
            return
        self.claiming.add(number)
        failed = partial(self.claiming.discard, number)
        audio = self.world.audio

        def floor_known(floor: int) -> None:
            asked = self.local_s
            most = int(self.slots * (1 + TAKEOVER_EXCESS))
            claim = Claim(self.id, number, floor, self.rules.ttl_ms, held=held, new=new, most=most)
            self.net.ask(self, self.state, partial(self.state.claim, claim), partial(claimed, asked), failed)

        def claimed(asked: float, epoch: int) -> None:
            if not epoch:
                failed()
                if held and number in self.lanes:
                    self.lose(number)
                return
            self.net.ask(self, audio, partial(audio.raise_epoch, number, epoch), partial(copied, asked, epoch), failed)

        def copied(asked: float, epoch: int, _: object) -> None:
            call = partial(self.state.slots.get, number, frozenset())
            self.net.ask(self, self.state, call, partial(self.hold, number, epoch, asked), failed)

        self.net.ask(self, audio, partial(audio.epoch, number), floor_known, failed)

    def hold(self, number: int, epoch: int, asked: float, sessions: frozenset[str]) -> None:
        """Have the lane, and run what is in it."""
        self.claiming.discard(number)
        self.first_seen.pop(number, None)
        before = self.lanes.get(number)
        running = before.sessions if before is not None else set[str]()
        self.lanes[number] = SimLane(Lease(lane=number, worker=self.id, epoch=epoch), asked, running | sessions)
        self.world.timeline.note("{} holds lane {} under {} with {} sessions", self.id, number, epoch, len(sessions))
        self.say(number)

    # ------------------------------------------------------------ looking around

    def look(self) -> None:
        """See what the others announce and which lanes nobody holds."""
        self.net.ask(
            self, self.state, self.state.view, self.looked, partial(self.troubled, self.look, self.rules.look_ms)
        )

    def looked(self, view: View) -> None:
        """Claim, make, drop and hand over lanes by the rules."""
        self.settled = min(self.local_ms - self.trouble, view.up_ms) >= self.rules.grace_ms
        if view.orphans:
            self.take_over(view)
        elif self.first_seen:
            self.first_seen.clear()
        if not self.claiming:
            self.even_out(view)
        if self.draining and not self.lanes:
            self.world.left(self)
        self.after(self.rules.look_ms, self.look)

    def even_out(self, view: View) -> None:
        """Make, drop and hand over lanes, each now and then."""
        now, count = self.local_ms, len(self.lanes)
        if self.draining or count > self.wanted:
            for number in to_drop(self.member(), wanted=self.wanted):
                self.give_up(number)
        elif count < self.wanted and now - self.created >= self.rules.create_ms:
            self.created = now
            self.create(view)
        if now - self.rebalanced >= (self.rules.look_ms if self.draining else self.rules.rebalance_ms):
            self.rebalance(view)

    def sample(self, announced: list[Announced]) -> list[Member]:
        """Return some of the others, at most ``SAMPLE``."""
        if len(announced) > SAMPLE:
            announced = self.world.rng.choices(announced, k=SAMPLE)
        return [said.member for said in announced]

    def take_over(self, view: View) -> None:
        """Claim the lanes without holder that are this worker's to claim."""
        now, orphans = self.local_ms, view.orphans
        if len(orphans) > SAMPLE:
            orphans = dict(self.world.rng.sample(sorted(orphans.items()), SAMPLE))
        self.first_seen = {lane: self.first_seen.get(lane, now) for lane in orphans}
        if not self.settled:
            return
        seen = [replace(orphan, lapsed_ms=round(now - self.first_seen[lane])) for lane, orphan in orphans.items()]
        members = self.sample(view.announced)
        for lane in self.rules.to_claim(self.member(), members, seen, now_ms=view.now_ms, may_claim_foreign=True):
            self.claim(lane)

    def create(self, view: View) -> None:
        """Make lanes until it has as many as it wants."""
        members = [said.member for said in view.announced]
        for number in to_create(self.member(), members, view.orphans.values(), wanted=self.wanted):
            self.claim(number, new=not self.settled)

    def rebalance(self, view: View) -> None:
        """Hand a busy lane to somebody with more room."""
        self.rebalanced = self.local_ms
        for number in self.rules.to_hand_over(self.member(), self.sample(view.announced), now_ms=view.now_ms):
            self.world.moved(self, number)
            self.give_up(number)

    def give_up(self, number: int) -> None:
        """Fall silent in a lane and release it; a release that is lost lapses."""
        lane = self.lanes.pop(number)
        self.world.timeline.note("{} gives up lane {} with {} sessions", self.id, number, len(lane.sessions))
        call = partial(self.state.release, self.id, number, lane.epoch)
        self.net.ask(self, self.state, call, lambda _: None, lambda: None)

    # ------------------------------------------------------------ sessions

    def speak(self) -> None:
        """Send audio for every session of every lane that it may speak in."""
        for number in self.lanes:
            self.say(number)
        self.after(self.world.speak_ms, self.speak)

    def say(self, number: int) -> None:
        """Send a lane's audio, unless its lease was not confirmed lately."""
        lane = self.lanes[number]
        if lane.sessions and lane.may_speak(self.local_s):
            self.world.spoken(self, lane)

    def begin(self, number: int, session: str) -> None:
        """Run a session that was placed in a lane of its own."""
        self.lanes[number].sessions.add(session)
        self.net.ask(self, self.state, partial(self.state.ready, session, number), lambda _: None, lambda: None)

    def end(self, number: int, session: str) -> None:
        """End a session whose caller has left; asked again if the slot is not freed."""
        self.lanes[number].sessions.discard(session)
        call = partial(self.state.free, session, number)
        self.net.ask(self, self.state, call, lambda _: None, lambda: None)

    def restore_slots(self) -> None:
        """Make ``state`` know the sessions that run here, which it may have forgotten; drop those that run elsewhere.

        Now and then, not only after trouble: a call of another kind may be the one that notices a restart.
        """
        self.heal, self.healed = False, self.local_ms
        if not self.rules.heals:
            return
        for number, lane in self.lanes.items():
            if not lane.sessions:
                continue
            call = partial(self.state.keep, self.id, number, lane.epoch, tuple(lane.sessions))
            self.net.ask(self, self.state, call, partial(self.drop_foreign, number), partial(self.heal_later))

    def heal_later(self) -> None:
        """Try once more with the next renewal."""
        self.heal = True

    def drop_foreign(self, number: int, foreign: list[str] | None) -> None:
        """Stop sessions that are another's; a lane that was not held just then is looked at again."""
        if foreign is None:
            self.heal = True
        elif number in self.lanes:
            self.lanes[number].sessions.difference_update(foreign)
