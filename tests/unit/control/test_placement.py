"""Placement: the emptiest able worker first, a slot only in one atomic step, and a clear no."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from redis.asyncio import Redis
from task_harness import a_record, announce, fill_lane, hold_lane

from control.sessions.placement import Candidate, Placement, Slot, able_workers, candidates
from control.sessions.store import SessionStore
from control.sessions.workers import WorkerInfo, announced_workers
from voicebackend.errors import InvalidFormat, ProviderNotFound, SessionLimitExceeded
from voicebackend.keys import Keys
from voicebackend.session import SessionState
from voicebackend.settings import Deployment

KEYS = Keys()


def a_worker(name: str, free: int = 5, lanes: Mapping[int, int] | None = None, **changes: Any) -> WorkerInfo:
    """Return a worker with the provider mock."""
    values: dict[str, Any] = {"slots_total": 10, "lanes": lanes or {1: 5}, "providers": {"mock": {}}}
    return WorkerInfo(**{**values, "id": name, "slots_free": free, **changes})


@pytest.fixture
def placement(redis: Redis) -> Placement:
    """Give a placement on the test's Redis."""
    return Placement(redis, KEYS)


@pytest.fixture
def store(redis: Redis) -> SessionStore:
    """Give a store on the test's Redis."""
    return SessionStore(redis, KEYS)


def test_workers_with_more_free_slots_come_first() -> None:
    """Load spreads by room."""
    workers = [a_worker("small", 1, {1: 5}), a_worker("big", 9, {2: 5}), a_worker("middle", 4, {3: 5})]
    assert [found.worker for found in candidates(workers, {})] == ["big", "middle", "small"]


def test_an_unlimited_worker_comes_before_any_limited_one() -> None:
    """Its free slots say nothing, so they are not compared."""
    workers = [a_worker("limited", 9, {1: 5}), a_worker("endless", 0, {2: 0}, slots_total=0)]
    assert [found.worker for found in candidates(workers, {})] == ["endless", "limited"]


def test_equal_workers_come_in_random_order() -> None:
    """The tie is drawn, so that not everyone runs to the same one."""
    workers = [a_worker("a", 5, {1: 5}), a_worker("b", 5, {2: 5})]
    numbers = iter([0.9, 0.1, 0.5, 0.5])
    assert [found.worker for found in candidates(workers, {}, tie=lambda: next(numbers))] == ["b", "a"]


def test_the_lane_with_most_room_comes_first_and_full_ones_not_at_all() -> None:
    """What counts is what is taken now, not the cap."""
    worker = a_worker("a", lanes={1: 5, 2: 9, 3: 4})
    assert [found.lane for found in candidates([worker], {1: 1, 2: 7, 3: 4})] == [1, 2]


def test_of_unlimited_lanes_the_emptiest_comes_first() -> None:
    """A cap of 0 never fills."""
    worker = a_worker("a", lanes={1: 0, 2: 0})
    assert [found.lane for found in candidates([worker], {1: 500, 2: 3})] == [2, 1]


def test_draining_workers_take_nothing_new() -> None:
    """They are left out, but what they can do is still known."""
    workers = [a_worker("leaving", draining=True), a_worker("staying")]
    assert [worker.id for worker in able_workers(workers, "mock")] == ["staying"]
    assert able_workers([workers[0]], "mock") == []


def test_a_provider_that_nobody_announces_is_not_found_and_the_known_ones_are_listed() -> None:
    """The details help to correct the name."""
    with pytest.raises(ProviderNotFound) as caught:
        able_workers([a_worker("a", providers={"mock": {}, "vapi": {}})], "livekit")
    assert caught.value.details == {"provider": "livekit", "known": ["mock", "vapi"]}


@pytest.mark.parametrize("raw", [{}, {b"id": b"w"}, {b"id": b"w", b"slots_total": b"x"}])
def test_an_announcement_that_is_none_is_refused(raw: dict[bytes, bytes]) -> None:
    """No half-read worker is ever used."""
    with pytest.raises(InvalidFormat):
        WorkerInfo.from_fields(raw)


async def test_announcements_read_back_and_broken_ones_are_left_out(redis: Redis) -> None:
    """One bad worker does not hide the others."""
    await announce(redis, KEYS, "good", {4: 2}, draining="1")
    await announce(redis, KEYS, "bad", {5: 2}, slots_free="many")
    (found,) = await announced_workers(redis, KEYS)
    assert (found.id, found.lanes, found.draining, found.slots_free) == ("good", {4: 2}, True, 10)


async def test_a_taken_slot_is_in_the_lane_and_in_the_record(
    redis: Redis, placement: Placement, store: SessionStore
) -> None:
    """One step does both, and the lane's set expires."""
    record = a_record()
    await store.create(record)
    await hold_lane(redis, KEYS, 2, "w:with:colons", 41)
    assert await placement.take(record.id, Candidate(worker="w:with:colons", lane=2, cap=1)) is Slot.TAKEN
    placed = await store.get(record.id)
    assert (placed.state, placed.lane, placed.worker, placed.epoch) == (SessionState.STARTING, 2, "w:with:colons", 41)
    assert await redis.smembers(KEYS.lane_sessions(2)) == {record.id.encode()}
    assert await redis.ttl(KEYS.lane_sessions(2)) > 0


@pytest.mark.parametrize(
    ("worker", "state", "expected"),
    [
        ("other", SessionState.PENDING, Slot.LOST),
        ("w", SessionState.READY, Slot.PLACED),
        ("w", SessionState.ENDED, Slot.PLACED),
        ("w", SessionState.PENDING, Slot.FULL),
    ],
)
async def test_a_slot_that_cannot_be_taken_changes_nothing(
    redis: Redis, placement: Placement, worker: str, state: SessionState, expected: Slot
) -> None:
    """Lease, state and cap are each checked."""
    store = SessionStore(redis, KEYS)
    record = a_record(state=state)
    await store.create(record)
    await hold_lane(redis, KEYS, 2, "w")
    await fill_lane(redis, KEYS, 2, "someone")
    assert await placement.take(record.id, Candidate(worker=worker, lane=2, cap=1)) is expected
    assert await store.get(record.id) == record
    assert await redis.scard(KEYS.lane_sessions(2)) == 1


async def test_a_session_goes_to_the_next_worker_when_the_best_lost_its_lane(
    redis: Redis, placement: Placement, store: SessionStore
) -> None:
    """Announcements are old news; leases are not."""
    await announce(redis, KEYS, "best", {1: 9}, slots_free=9)
    await announce(redis, KEYS, "next", {2: 9}, slots_free=1)
    await redis.delete(KEYS.lease(1))
    record = a_record()
    await store.create(record)
    await placement.place(record.id, "mock")
    assert (await store.get(record.id)).worker == "next"


async def test_the_cap_holds_whatever_workers_announce(redis: Redis, placement: Placement, store: SessionStore) -> None:
    """Three slots in two lanes take three sessions; the fourth is refused."""
    await announce(redis, KEYS, "w", {1: 1, 2: 2}, slots_free=10)
    records = [a_record(number) for number in range(1, 5)]
    for record in records:
        await store.create(record)
    for record in records[:3]:
        await placement.place(record.id, "mock")
    with pytest.raises(SessionLimitExceeded):
        await placement.place(records[3].id, "mock")
    assert (await store.get(records[3].id)).state is SessionState.PENDING


async def test_placing_twice_takes_one_slot(redis: Redis, placement: Placement, store: SessionStore) -> None:
    """A task that is delivered again changes nothing."""
    await announce(redis, KEYS, "w", {1: 5})
    record = a_record()
    await store.create(record)
    await placement.place(record.id, "mock")
    await placement.place(record.id, "mock")
    assert await redis.scard(KEYS.lane_sessions(1)) == 1


async def test_without_any_worker_there_is_no_provider(placement: Placement, deployment: Deployment) -> None:
    """An empty deployment says so instead of waiting."""
    assert deployment.keys.prefix == KEYS.prefix
    with pytest.raises(ProviderNotFound):
        await placement.place("0" * 32, "mock")
