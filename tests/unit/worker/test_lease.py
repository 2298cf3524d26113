"""A lane has one holder, under an epoch that only grows; on a real Redis."""

from __future__ import annotations

import pytest
from redis.asyncio import Redis

from voicebackend.keys import Keys
from worker.lane import Lane
from worker.lease import LEASE_TTL_S, MUTE_S, UNSURE_S, Lease, Leases
from worker.settings import lane_caps


@pytest.fixture
def keys() -> Keys:
    return Keys()


async def test_a_lane_has_one_holder(redis: Redis, keys: Keys) -> None:
    """The second worker gets nothing, until the first lets go."""
    first, second = Leases(redis, redis, keys, "first"), Leases(redis, redis, keys, "second")
    lease = await first.claim(0)
    assert lease is not None
    assert await second.claim(0) is None
    await first.release(lease)
    later = await second.claim(0)
    assert later is not None
    assert later.epoch > lease.epoch


async def test_a_lease_expires(redis: Redis, keys: Keys) -> None:
    """Whoever dies loses the lane within the lease's time."""
    lease = await Leases(redis, redis, keys, "first").claim(0)
    assert lease is not None
    assert 0 < await redis.pttl(keys.lease(0)) <= LEASE_TTL_S * 1000


async def test_renewing_keeps_the_epoch(redis: Redis, keys: Keys) -> None:
    """A lease in time goes on under its epoch."""
    leases = Leases(redis, redis, keys, "first")
    lease = await leases.claim(0)
    assert lease is not None
    assert await leases.renew(lease) == lease


async def test_a_lapsed_lease_is_claimed_again_under_a_new_epoch(redis: Redis, keys: Keys) -> None:
    """A holder that Redis forgot takes its lane back."""
    leases = Leases(redis, redis, keys, "first")
    lease = await leases.claim(0)
    assert lease is not None
    await redis.delete(keys.lease(0))
    again = await leases.renew(lease)
    assert again is not None
    assert again.epoch > lease.epoch


async def test_a_lost_lane_is_not_taken_back(redis: Redis, keys: Keys) -> None:
    """A zombie learns that it is one, and cannot release what is not its own."""
    first, second = Leases(redis, redis, keys, "first"), Leases(redis, redis, keys, "second")
    lease = await first.claim(0)
    assert lease is not None
    await redis.delete(keys.lease(0))
    taken = await second.claim(0)
    assert taken is not None
    assert await first.renew(lease) is None
    await first.release(lease)
    assert (await redis.get(keys.lease(0))) == taken.value.encode()


async def test_a_lane_that_another_had_meanwhile_is_not_taken_back(redis: Redis, keys: Keys) -> None:
    """What its old holder remembers of its sessions is old, even if nobody holds it now."""
    first, second = Leases(redis, redis, keys, "first"), Leases(redis, redis, keys, "second")
    lease = await first.claim(0)
    assert lease is not None
    await redis.delete(keys.lease(0))
    assert await second.claim(0) is not None
    await redis.delete(keys.lease(0))
    assert await first.renew(lease) is None
    assert await first.claim(0) is not None


async def test_a_claim_whose_answer_was_lost_may_be_repeated(redis: Redis, keys: Keys) -> None:
    """A worker does not lose a lane to itself."""
    leases = Leases(redis, redis, keys, "first")
    lease = await leases.claim(0)
    again = await leases.claim(0)
    assert lease is not None
    assert again is not None
    assert again.epoch > lease.epoch
    assert await leases.renew(lease) is not None


async def test_only_a_lane_that_never_was_anybodys_is_new(redis: Redis, keys: Keys) -> None:
    """While owners come first, a worker that makes lanes takes none of theirs."""
    first, second = Leases(redis, redis, keys, "first"), Leases(redis, redis, keys, "second")
    assert await first.claim(0, new=True) is not None
    await redis.delete(keys.lease(0), keys.last_epoch())
    assert await second.claim(0, new=True) is None
    assert await second.claim(1, new=True) is not None


async def test_a_takeover_fills_a_worker_to_its_limit_and_not_beyond(redis: Redis, keys: Keys) -> None:
    """Sessions of all lanes that it holds at that moment are counted."""
    leases = Leases(redis, redis, keys, "first")
    for lane, sessions in enumerate((3, 2, 1)):
        await redis.sadd(keys.lane_sessions(lane), *(f"{lane}-{number}" for number in range(sessions)))
        await redis.expire(keys.lane_sessions(lane), 60)
    assert await leases.claim(0, most=5) is not None
    assert await leases.claim(1, most=4) is None
    assert await leases.claim(1, most=5) is not None
    assert await leases.claim(2, most=5) is None
    await redis.delete(keys.lease(0))
    assert await leases.claim(2, most=5) is not None


async def test_an_epoch_beside_the_lane_never_falls(redis: Redis, keys: Keys) -> None:
    """Who stood still between claim and copy learns that another came after it."""
    leases = Leases(redis, redis, keys, "first")
    slow = redis.register_script("return redis.call('SET', KEYS[1], '9000000000000001', 'EX', 60)")
    claim = leases._claim

    async def claim_and_sleep(**kwargs: object) -> object:
        epoch = await claim(**kwargs)  # type: ignore[arg-type]
        await slow(keys=[keys.lane_epoch(0)])
        return epoch

    leases._claim = claim_and_sleep  # type: ignore[assignment]
    assert await leases.claim(0) is None
    assert await redis.get(keys.lane_epoch(0)) == b"9000000000000001"


async def test_neither_server_alone_can_bring_an_old_epoch_back(redis: Redis, keys: Keys) -> None:
    """The epoch is above what ``state`` knows, what the lane knows, and the clock."""
    leases = Leases(redis, redis, keys, "first")
    await redis.set(keys.lane_epoch(0), 10**15, ex=60)
    lease = await leases.claim(0)
    assert lease is not None
    assert lease.epoch == 10**15 + 1
    await redis.delete(keys.lease(0), keys.lane_epoch(0))
    again = await leases.claim(0)
    assert again is not None
    assert again.epoch == 10**15 + 2


def test_a_holder_falls_silent_before_its_lease_lapses() -> None:
    """Not renewed for 1.2 s means mute, 0.3 s before anyone else may speak."""
    lane = Lane(Lease(lane=0, worker="first", epoch=1), now=10.0, cap=1)
    assert lane.may_speak(10.0 + MUTE_S - 0.01)
    assert not lane.may_speak(10.0 + MUTE_S + 0.01)
    assert MUTE_S < LEASE_TTL_S


@pytest.mark.parametrize(("limit", "caps"), [(100, [25, 25, 25, 25]), (10, [3, 3, 2, 2]), (0, [0, 0, 0, 0])])
def test_slots_are_shared_out_exactly(limit: int, caps: list[int]) -> None:
    """The lanes' caps add up to the worker's limit; 0 is unlimited."""
    assert list(lane_caps([0, 1, 2, 3], limit).values()) == caps


def test_a_holder_that_asked_in_vain_speaks_on_for_a_while_and_one_that_slept_does_not() -> None:
    """While the server of leases answers nobody, nobody else was given the lane."""
    lane = Lane(Lease(lane=0, worker="first", epoch=1), now=10.0)
    assert not lane.may_speak(15.0)
    lane.unanswered(14.5)
    assert lane.may_speak(15.0)
    assert not lane.may_speak(14.51 + MUTE_S)
    lane.unanswered(10.0 + UNSURE_S)
    assert not lane.may_speak(10.0 + UNSURE_S)
