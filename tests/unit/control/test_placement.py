"""Placement: the emptiest able worker, a slot only in one step that checks every cap, and a clear no."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from redis.asyncio import Redis
from task_harness import a_record, announce, fill_lane, hold_lane

from control.sessions.placement import MAX_ASKED, Placement, able_workers, in_batches
from control.sessions.store import SessionStore
from control.sessions.workers import WorkerInfo, announced_workers
from voicebackend.errors import (
    InvalidFormat,
    ProviderNotFound,
    RateLimitExceeded,
    SessionAlreadyActive,
    SessionLimitExceeded,
    SessionNotFound,
)
from voicebackend.keys import Keys
from voicebackend.limits import Limits, Rate
from voicebackend.record import SessionRecord
from voicebackend.session import SessionState

KEYS = Keys()
FREE = Limits()


def a_worker(name: str, free: int = 5, lanes: Mapping[int, int] | None = None, **changes: Any) -> WorkerInfo:
    """Return a worker with the provider mock."""
    values: dict[str, Any] = {"slots_total": 10, "lanes": lanes or {1: 5}, "providers": {"mock": {}}}
    return WorkerInfo(**{**values, "id": name, "slots_free": free, **changes})


@pytest.fixture
def store(redis: Redis) -> SessionStore:
    """Give a store on the test's Redis."""
    return SessionStore(redis, KEYS)


@pytest.fixture
def placement(redis: Redis, store: SessionStore) -> Placement:
    """Give a placement on the test's Redis."""
    return Placement(redis, KEYS, store)


async def admit(redis: Redis, placement: Placement, number: int = 1, limits: Limits = FREE, **more: Any) -> Any:
    """Have a new session admitted by who is announced; return its record."""
    workers = able_workers(await announced_workers(redis, KEYS), "mock")
    return await placement.admit(a_record(number, **more), workers, limits)


async def holder(redis: Redis, name: str, lanes: list[int], slots: int) -> None:
    """Announce a worker with so many slots in these lanes."""
    await announce(redis, KEYS, name, dict.fromkeys(lanes, slots), slots_total=slots, slots_free=slots)


# ---------------------------------------------------------------- whom to ask


def test_workers_are_asked_most_free_slots_first_and_equals_in_random_order() -> None:
    """An unlimited worker comes before any limited one, and ties are drawn."""
    workers = [a_worker("small", 1), a_worker("a"), a_worker("b"), a_worker("endless", 0, slots_total=0)]
    numbers = iter([0.0, 0.9, 0.1, 0.0])
    (batch,) = in_batches(workers, tie=lambda: next(numbers))
    assert [worker.id for worker in batch] == ["endless", "b", "a", "small"]


def test_no_step_looks_at_more_workers_than_redis_can_bear() -> None:
    """The rest is asked after; nobody is left out, and there is always something to ask."""
    workers = [a_worker(f"w{number}") for number in range(MAX_ASKED + 3)]
    batches = in_batches(workers)
    assert [len(batch) for batch in batches] == [MAX_ASKED, 3]
    assert {worker.id for batch in batches for worker in batch} == {worker.id for worker in workers}
    assert in_batches([]) == [[]]


def test_workers_that_drain_or_have_enough_to_do_take_nothing_new() -> None:
    """They are left out, but what they can do is still known."""
    workers = [a_worker("leaving", draining=True), a_worker("staying"), a_worker("busy", admitting=False)]
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
    await announce(redis, KEYS, "good", {4: 2}, draining="1", admitting="0", lag_ms="61.5")
    await announce(redis, KEYS, "bad", {5: 2}, slots_free="many")
    (found,) = await announced_workers(redis, KEYS)
    assert (found.id, found.lanes, found.draining, found.slots_free) == ("good", {4: 2}, True, 10)
    assert (found.admitting, found.lag_ms) == (False, 61.5)


# ---------------------------------------------------------------- the step


async def test_an_admitted_session_has_its_slot_in_lane_and_record_at_once(
    redis: Redis, placement: Placement, store: SessionStore
) -> None:
    """One step does both, and every key of it expires."""
    await announce(redis, KEYS, "w:with:colons", {2: 1}, slots_total=1)
    await hold_lane(redis, KEYS, 2, "w:with:colons", 41)
    admitted = await admit(redis, placement)
    assert (admitted.state, admitted.lane, admitted.worker, admitted.epoch) == (
        *(SessionState.STARTING, 2),
        *("w:with:colons", 41),
    )
    assert await store.get(admitted.id) == admitted
    assert await redis.smembers(KEYS.lane_sessions(2)) == {admitted.id.encode()}
    assert await redis.ttl(KEYS.lane_sessions(2)) > 0


async def test_sessions_spread_over_workers_and_over_the_lanes_of_each(redis: Redis, placement: Placement) -> None:
    """Whoever has most free slots gets the next one, whatever is announced."""
    await holder(redis, "a", [1, 2], 4)
    await holder(redis, "b", [3, 4], 2)
    for number in range(1, 7):
        await admit(redis, placement, number)
    assert [await redis.scard(KEYS.lane_sessions(lane)) for lane in (1, 2, 3, 4)] == [2, 2, 1, 1]


async def test_a_workers_slots_are_counted_over_all_its_lanes(redis: Redis, placement: Placement) -> None:
    """A lane taken over brings its sessions along: there is no room although other lanes are empty."""
    await holder(redis, "w", [1, 2, 3], 3)
    await fill_lane(redis, KEYS, 3, "x", "y", "z", "one more than it has slots")
    with pytest.raises(SessionLimitExceeded) as caught:
        await admit(redis, placement)
    assert caught.value.details == {"limit": "slots"}
    assert caught.value.retry_after


async def test_a_lane_that_its_worker_has_lost_takes_nothing_and_counts_for_nothing(
    redis: Redis, placement: Placement
) -> None:
    """Announcements are old news; leases are not."""
    await holder(redis, "best", [1, 2], 9)
    await holder(redis, "next", [3], 1)
    await redis.delete(KEYS.lease(1))
    await hold_lane(redis, KEYS, 2, "somebody-else")
    assert (await admit(redis, placement)).worker == "next"


async def test_a_lane_that_its_worker_has_just_taken_over_counts_though_it_is_not_announced_yet(
    redis: Redis, placement: Placement
) -> None:
    """Announcements come after claims: else a takeover would let its worker be given too many."""
    await holder(redis, "w", [1], 2)
    await hold_lane(redis, KEYS, 2, "w")
    await fill_lane(redis, KEYS, 2, "a", "b")
    with pytest.raises(SessionLimitExceeded):
        await admit(redis, placement)
    await redis.srem(KEYS.lane_sessions(2), "a")
    assert (await admit(redis, placement)).lane == 1


async def test_a_lane_whose_lease_lapsed_still_counts_but_takes_nothing(redis: Redis, placement: Placement) -> None:
    """Its worker was slow for a moment and will claim it again, with all its sessions."""
    await holder(redis, "w", [1, 2], 3)
    await fill_lane(redis, KEYS, 1, "a", "b")
    await redis.delete(KEYS.lease(1))
    assert (await admit(redis, placement, 1)).lane == 2
    with pytest.raises(SessionLimitExceeded):
        await admit(redis, placement, 2)


async def test_a_lane_on_its_way_from_one_worker_to_another_still_fills_slots(
    redis: Redis, placement: Placement
) -> None:
    """It is nobody's for a moment; who gives it away looks as if it had room, and who gets it will be too full."""
    await holder(redis, "giver", [1], 2)
    await holder(redis, "taker", [2], 2)
    await fill_lane(redis, KEYS, 2, "a", "b")
    await fill_lane(redis, KEYS, 3, "c", "d")
    await redis.zadd(KEYS.lanes(), {"3": 1})
    await redis.expire(KEYS.lanes(), 60)
    with pytest.raises(SessionLimitExceeded):
        await admit(redis, placement, 1)
    await redis.srem(KEYS.lane_sessions(3), "c")
    assert (await admit(redis, placement, 1)).worker == "giver"


async def test_a_refused_session_leaves_nothing_behind(redis: Redis, placement: Placement, store: SessionStore) -> None:
    """Neither record nor log, and no place in any index."""
    await holder(redis, "w", [1], 1)
    await admit(redis, placement, 1)
    before = set(await redis.keys("*"))
    with pytest.raises(SessionLimitExceeded):
        await admit(redis, placement, 2)
    assert set(await redis.keys("*")) == before
    with pytest.raises(SessionNotFound):
        await store.get(a_record(2).id)


async def test_an_id_is_given_once(redis: Redis, placement: Placement) -> None:
    """A second session of the same id takes no second slot."""
    await holder(redis, "w", [1], 5)
    await admit(redis, placement)
    with pytest.raises(SessionAlreadyActive):
        await admit(redis, placement)
    assert await redis.scard(KEYS.lane_sessions(1)) == 1


async def test_of_many_at_once_exactly_as_many_are_admitted_as_there_are_slots(
    redis: Redis, placement: Placement
) -> None:
    """Three workers of 5, 4 and 3 slots: 12 of 60; and when one ends there is room for one."""
    for name, lanes, count in (("a", [1, 2], 5), ("b", [3, 4], 4), ("c", [5], 3)):
        await holder(redis, name, lanes, count)
    asked = [admit(redis, placement, number) for number in range(1, 61)]
    came = await asyncio.gather(*asked, return_exceptions=True)
    admitted = [one for one in came if isinstance(one, SessionRecord)]
    assert len(admitted) == 12
    assert {type(one) for one in came} == {SessionRecord, SessionLimitExceeded}
    sizes = {lane: await redis.scard(KEYS.lane_sessions(lane)) for lane in range(1, 6)}
    assert (sizes[1] + sizes[2], sizes[3] + sizes[4], sizes[5]) == (5, 4, 3)
    await redis.srem(KEYS.lane_sessions(admitted[0].lane), admitted[0].id)
    assert (await admit(redis, placement, 61)).worker == admitted[0].worker


async def test_with_many_workers_the_last_free_slot_is_found(redis: Redis, placement: Placement) -> None:
    """It is with one of those that are asked last, for it announced that it had none."""
    for number in range(MAX_ASKED + 1):
        full = number < MAX_ASKED
        await announce(redis, KEYS, f"w{number}", {number: 1}, slots_total=1, slots_free=int(full))
        if full:
            await fill_lane(redis, KEYS, number, "someone")
    assert (await admit(redis, placement)).worker == f"w{MAX_ASKED}"


# ---------------------------------------------------------------- what a tenant may have


async def test_a_tenant_has_so_many_live_sessions_and_no_more(
    redis: Redis, placement: Placement, store: SessionStore
) -> None:
    """Other tenants are not counted, whatever their names; one that ends makes room."""
    await holder(redis, "w", [1], 0)
    limits = Limits(tenant_sessions=2)
    for number, tenant in enumerate(["acme", "acme:1", "acm", "acme", "ACME"], start=1):
        await admit(redis, placement, number, limits, tenant=tenant)
    with pytest.raises(SessionLimitExceeded) as caught:
        await admit(redis, placement, 6, limits, tenant="acme")
    assert caught.value.details == {"limit": "tenant_sessions"}
    await store.move(a_record(1).id, SessionState.ENDED)
    await admit(redis, placement, 6, limits, tenant="acme")


async def test_a_tenant_creates_so_many_a_second_after_its_burst(redis: Redis, placement: Placement) -> None:
    """The refusal says when to come back; then it is let in. Others do not wait for it."""
    await holder(redis, "w", [1], 0)
    limits = Limits(tenant_rate=Rate(per_s=2, burst=3))
    for number in range(1, 4):
        await admit(redis, placement, number, limits, tenant="acme")
    with pytest.raises(RateLimitExceeded) as caught:
        await admit(redis, placement, 4, limits, tenant="acme")
    assert caught.value.retry_after is not None
    assert 0 < caught.value.retry_after <= 0.5
    await admit(redis, placement, 10, limits, tenant="other")
    await asyncio.sleep(caught.value.retry_after)
    await admit(redis, placement, 11, limits, tenant="acme")


async def test_who_finds_no_slot_has_not_used_up_the_rate(redis: Redis, placement: Placement) -> None:
    """Only what is admitted is paid for."""
    await holder(redis, "w", [1], 1)
    await fill_lane(redis, KEYS, 1, "someone")
    limits = Limits(tenant_rate=Rate(per_s=0.01, burst=1))
    for number in (1, 2):
        with pytest.raises(SessionLimitExceeded):
            await admit(redis, placement, number, limits)
    await redis.srem(KEYS.lane_sessions(1), "someone")
    assert (await admit(redis, placement, 3, limits)).lane == 1
