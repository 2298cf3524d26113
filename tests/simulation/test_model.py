"""The model of the servers answers like the real scripts: the same random calls, one after another, to both."""

from __future__ import annotations

import random
from dataclasses import astuple, replace
from typing import Any

import pytest
from redis.asyncio import Redis
from servers import Audio, Claim, State
from task_harness import a_record

import worker.lease
from control.sessions.slot_request import SlotRequest
from control.sessions.store import SessionStore
from control.sessions.workers import WorkerInfo
from voicebackend.errors import SessionLimitExceeded
from voicebackend.keys import Keys
from voicebackend.limits import Limits
from voicebackend.session import SessionState
from worker.lanes.registration import Finding, register, restore
from worker.lease import Lease, Leases

CALLS = 250
LANES, WORKERS = range(4), ("a", "b", "c")
SLOTS = 5
PAST_ANY_CLOCK = 10**14
"""An epoch that no clock reaches: both sides then count from what they remember, and can be compared exactly."""


class Both:
    """The real servers and the models, driven by the same calls."""

    def __init__(self, redis: Redis, rng: random.Random) -> None:
        self.redis, self.rng, self.keys = redis, rng, Keys()
        self.leases = {name: Leases(redis, redis, self.keys, name) for name in WORKERS}
        self.store = SessionStore(redis, self.keys)
        self.state, self.audio = State(lambda: 1_000), Audio()
        self.known: dict[tuple[str, int], int] = {}
        """By worker and lane, the last epoch it had."""
        self.placed: list[tuple[str, int]] = []
        self.created = 0

    async def claim(self) -> None:
        """Claim a lane, in one of the ways in which workers do."""
        worker, lane = self.rng.choice(WORKERS), self.rng.choice(LANES)
        held = self.known.get((worker, lane), 0) if self.rng.random() < 0.4 else 0
        new, most = self.rng.random() < 0.3, self.rng.choice((0, 3, 6))
        real = await self.leases[worker].claim(lane, held=held, new=new, most=most)
        floor = self.audio.epoch(lane)
        epoch = self.state.claim(Claim(worker, lane, floor, 1_000, held=held, new=new, most=most))
        assert (real.epoch if real else 0) == epoch
        if epoch:
            self.audio.raise_epoch(lane, epoch)
            self.known[worker, lane] = epoch

    async def renew(self) -> None:
        """Renew a lease that a worker has or once had; one that lapsed is claimed again."""
        if not self.known:
            return
        worker, lane = self.rng.choice(sorted(self.known))
        epoch = self.known[worker, lane]
        real = await self.leases[worker].renew(Lease(lane=lane, worker=worker, epoch=epoch))
        if self.state.renew(worker, [(lane, epoch)], 1_000)[lane]:
            assert real is not None
            assert real.epoch == epoch
            return
        again = self.state.claim(Claim(worker, lane, self.audio.epoch(lane), 1_000, held=epoch))
        assert (real.epoch if real else 0) == again
        if again:
            self.audio.raise_epoch(lane, again)
            self.known[worker, lane] = again

    async def release(self) -> None:
        """Release a lease that a worker has or once had."""
        if self.known:
            worker, lane = self.rng.choice(sorted(self.known))
            epoch = self.known[worker, lane]
            await self.leases[worker].release(Lease(lane=lane, worker=worker, epoch=epoch))
            self.state.release(worker, lane, epoch)

    async def lapse(self) -> None:
        """Let a lease run out."""
        lane = self.rng.choice(LANES)
        await self.redis.delete(self.keys.lease(lane))
        await self.redis.zadd(self.keys.lanes(), {str(lane): 1}, xx=True)
        self.state.leases.pop(lane, None)

    async def forget(self) -> None:
        """Let one of the servers forget a lane's epoch."""
        lane = self.rng.choice(LANES)
        if self.rng.random() < 0.5 and self.audio.epoch(lane):
            await self.redis.hdel(self.keys.last_epoch(), str(lane))
            self.state.epochs.pop(lane, None)
        elif self.state.epochs.get(lane):
            await self.redis.delete(self.keys.lane_epoch(lane))
            self.audio.epochs.pop(lane, None)

    async def admit(self) -> None:
        """Ask for a slot with some workers and whichever lanes they are said to have."""
        asked = [
            (name, SLOTS, tuple(sorted(self.rng.sample(LANES, 3)))) for name in self.rng.sample(WORKERS, len(WORKERS))
        ]
        self.created += 1
        record = a_record(self.created)
        infos = [WorkerInfo(id=name, slots_total=slots, lanes=dict.fromkeys(lanes, 9)) for name, slots, lanes in asked]
        try:
            real = await self.store.create(record, SlotRequest(workers=infos, limits=Limits()))
        except SessionLimitExceeded:
            real = None
        verdict = self.state.admit(record.id, [(name, slots, frozenset(lanes)) for name, slots, lanes in asked])
        assert verdict == ("full" if real is None else f"taken:{real.lane}")
        if real is not None:
            row = self.state.rows[record.id]
            assert (real.worker, real.epoch) == (row.worker, row.epoch)
            self.placed.append((record.id, real.lane))

    async def free(self) -> None:
        """End a session."""
        if self.placed:
            session, lane = self.placed.pop(self.rng.randrange(len(self.placed)))
            await self.redis.srem(self.keys.lane_sessions(lane), session)
            self.state.free(session, lane)

    async def keep(self) -> None:
        """Let a worker that has a lease, or once had it, restore what was forgotten of some sessions."""
        if not self.known or not self.placed:
            return
        worker, lane = self.rng.choice(sorted(self.known))
        lease = Lease(lane=lane, worker=worker, epoch=self.known[worker, lane])
        sessions = [session for session, _ in self.rng.choices(self.placed, k=4)]
        found = await register(self.redis, self.keys, lease, dict.fromkeys(sessions, SessionState.READY))
        for session, finding in (found or {}).items():
            if finding is Finding.LOST:
                number = int(session, 16)
                record = replace(
                    a_record(number), state=SessionState.READY, lane=lane, worker=worker, epoch=lease.epoch
                )
                assert record.id == session
                assert await restore(self.redis, self.keys, lease, record)
        kept = self.state.keep(worker, lane, lease.epoch, dict.fromkeys(sessions))
        others = {Finding.FOREIGN, Finding.OVER}
        foreign = None if found is None else [session for session, finding in found.items() if finding in others]
        assert foreign == kept
        for session in set(sessions).difference(kept if kept is not None else sessions):
            self.placed = [(name, lane if name == session else at) for name, at in self.placed]

    async def lose(self) -> None:
        """Let ``state`` forget a session's slot, its record, or both."""
        if not self.placed:
            return
        session, lane = self.rng.choice(self.placed)
        slot, record = self.rng.choice(((True, True), (True, False), (False, True)))
        if slot:
            await self.redis.srem(self.keys.lane_sessions(lane), session)
            if left := self.state.slots.pop(lane, frozenset()) - {session}:
                self.state.slots[lane] = left
        if record:
            await self.redis.delete(self.keys.session(session))
            self.state.rows.pop(session, None)

    async def compare(self) -> None:
        """Compare what both hold."""
        for lane in LANES:
            held = self.state.holder(lane)
            real: Any = await self.redis.get(self.keys.lease(lane))
            assert real == (f"{held.worker}:{held.epoch}".encode() if held else None)
            assert await self.redis.scard(self.keys.lane_sessions(lane)) == len(self.state.slots.get(lane, ()))
            assert int(await self.redis.get(self.keys.lane_epoch(lane)) or 0) == self.audio.epoch(lane)
        for session, _ in self.placed:
            found: Any = await self.redis.hmget(self.keys.session(session), "state", "lane", "worker", "epoch")
            row = self.state.rows.get(session)
            assert found == ([None] * 4 if row is None else [str(value).encode() for value in astuple(row)])


@pytest.mark.parametrize("seed", range(4))
async def test_the_model_answers_like_the_real_scripts(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    """Claims of every kind, renewals, releases, lapses, forgotten epochs, admissions, ends."""
    monkeypatch.setattr(worker.lease, "LEASE_TTL_S", 600.0)
    both = Both(redis, random.Random(seed))  # noqa: S311  (a test, not a secret)
    for lane in LANES[1:]:
        await redis.set(both.keys.lane_epoch(lane), PAST_ANY_CLOCK, ex=600)
        both.audio.raise_epoch(lane, PAST_ANY_CLOCK)
    await redis.hset(both.keys.last_epoch(), "0", str(PAST_ANY_CLOCK))
    both.state.epochs[0] = PAST_ANY_CLOCK
    kinds = (
        both.claim,
        both.claim,
        both.renew,
        both.release,
        both.lapse,
        both.forget,
        both.admit,
        both.admit,
        both.free,
        both.keep,
        both.keep,
        both.lose,
    )
    for _ in range(CALLS):
        await both.rng.choice(kinds)()
    await both.compare()
    assert both.state.slots
    assert max(both.state.epochs.values()) > PAST_ANY_CLOCK
