"""Deliveries in Redis: nobody tries at the same time as another, and nothing is lost when a process dies."""

from __future__ import annotations

from dataclasses import replace

import pytest

from control.context import TaskContext
from control.outbox import deliveries as module
from control.outbox.deliveries import LEASE_S, MAX_FAILURES, OF_ENDPOINT, OF_TENANT, PAUSE_S, Deliveries
from control.outbox.delivery import PATIENCE_S, Answer, Delivery, Outcome, State
from voicebackend.errors import SessionNotFound
from voicebackend.webhooks import Event

FAILED = Answer(status=500, error="it answers 500")


class Clock:
    """Stands in for the module's ``time``."""

    now = 1_790_000_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Give the time, to be moved."""
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture
def deliveries(shared: TaskContext, clock: Clock) -> Deliveries:
    """Give what is on its way, in a Redis of the test's own."""
    return Deliveries(shared.state, shared.keys)


def a_delivery(number: int = 1, tenant: str = "acme") -> Delivery:
    """Return a delivery as the outbox makes it."""
    event = Event(id=f"evt_{number}", type="session.ended", created_at=Clock.now, tenant=tenant, session_id="s")
    return Delivery.of(event, "endpoint")


async def _due(deliveries: Deliveries) -> list[str]:
    """Return what a sweep has tried."""
    return [id_ for way in await deliveries.due(10) for id_ in (await deliveries.take(*way)).taken]


async def _fail(deliveries: Deliveries, clock: Clock, times: int) -> None:
    """Have tries at the endpoint fail, one after the other."""
    for number in range(times):
        delivery = a_delivery(1000 + number)
        assert await deliveries.put(delivery, told=True)
        claimed = await deliveries.claim(delivery.id)
        assert claimed is not None
        assert await deliveries.settle(claimed, FAILED, Outcome.AGAIN, clock.now + 3600)


async def _given_up(deliveries: Deliveries, number: int = 1, tenant: str = "acme") -> Delivery:
    """Return a delivery that was tried once and given up."""
    delivery = a_delivery(number, tenant)
    await deliveries.put(delivery, told=True)
    claimed = await deliveries.claim(delivery.id)
    assert claimed is not None
    assert await deliveries.settle(claimed, FAILED, Outcome.GIVEN_UP, 0.0)
    return claimed


async def test_an_event_that_is_told_twice_is_written_once(deliveries: Deliveries) -> None:
    """Also when the first is long delivered."""
    delivery = a_delivery()
    assert await deliveries.put(delivery, told=True)
    assert not await deliveries.put(delivery, told=True)
    claimed = await deliveries.claim(delivery.id)
    assert claimed is not None
    assert claimed == replace(delivery, attempts=1)
    assert await deliveries.settle(claimed, Answer(status=204), Outcome.DELIVERED, 0.0)
    assert not await deliveries.put(delivery, told=True)
    assert await deliveries.claim(delivery.id) is None
    assert await _due(deliveries) == []


async def test_one_process_at_a_time_tries(deliveries: Deliveries, clock: Clock) -> None:
    """And another when the first has died: its lease ends, and the sweep tells of it."""
    delivery = a_delivery()
    await deliveries.put(delivery, told=True)
    first = await deliveries.claim(delivery.id)
    assert first is not None
    assert await deliveries.claim(delivery.id) is None
    assert await _due(deliveries) == []
    clock.now += LEASE_S + 1
    assert await _due(deliveries) == [delivery.id]
    assert await _due(deliveries) == []  # somebody was told
    second = await deliveries.claim(delivery.id)
    assert second is not None
    assert second.attempts == 2
    assert not await deliveries.settle(first, Answer(status=200), Outcome.DELIVERED, 0.0)
    assert await deliveries.settle(second, FAILED, Outcome.AGAIN, clock.now + 4)


async def test_a_try_waits_until_it_is_due(deliveries: Deliveries, clock: Clock) -> None:
    """Even if a task comes earlier."""
    delivery = a_delivery()
    await deliveries.put(delivery, told=True)
    claimed = await deliveries.claim(delivery.id)
    assert claimed is not None
    await deliveries.settle(claimed, FAILED, Outcome.AGAIN, clock.now + 60)
    assert await deliveries.claim(delivery.id) is None
    clock.now += 59
    assert await _due(deliveries) == []
    clock.now += 2
    assert await _due(deliveries) == [delivery.id]
    assert await deliveries.claim(delivery.id) is not None


async def test_what_was_given_up_is_listed_and_tried_anew(deliveries: Deliveries, clock: Clock) -> None:
    """With a whole day before it, once."""
    delivery = await _given_up(deliveries)
    (listed,) = await deliveries.undelivered("acme")
    assert (listed.id, listed.status, listed.error, listed.state) == (delivery.id, 500, FAILED.error, State.GIVEN_UP)
    clock.now += 100_000
    await deliveries.again("acme", delivery.id)
    assert await deliveries.undelivered("acme") == []
    claimed = await deliveries.claim(delivery.id)
    assert claimed is not None
    assert (claimed.attempts, claimed.created_at) == (1, clock.now)
    with pytest.raises(SessionNotFound):
        await deliveries.again("acme", delivery.id)


async def test_another_tenants_deliveries_are_not_there(deliveries: Deliveries) -> None:
    """Neither to be listed nor to be sent again."""
    delivery = await _given_up(deliveries)
    await _given_up(deliveries, 2, tenant="other")
    assert [one.tenant for one in await deliveries.undelivered("other")] == ["other"]
    with pytest.raises(SessionNotFound):
        await deliveries.again("other", delivery.id)
    assert len(await deliveries.undelivered("acme")) == 1


async def test_every_delivery_goes_some_day(deliveries: Deliveries, shared: TaskContext) -> None:
    """Each has a time to live, whatever its state."""
    done, waits = await _given_up(deliveries), a_delivery(2)
    await deliveries.put(waits, told=True)
    for delivery in (done, waits):
        assert 86_400 <= await shared.state.ttl(shared.keys.webhook_delivery(delivery.id)) <= 31 * 86_400


async def test_what_arrived_leaves_a_bare_marker(deliveries: Deliveries, shared: TaskContext) -> None:
    """For an hour, without what was sent."""
    delivery = a_delivery()
    await deliveries.put(delivery, told=True)
    claimed = await deliveries.claim(delivery.id)
    assert claimed is not None
    await deliveries.settle(claimed, Answer(status=200), Outcome.DELIVERED, 0.0)
    key = shared.keys.webhook_delivery(delivery.id)
    assert await shared.state.hgetall(key) == {b"state": b"delivered"}  # type: ignore[misc]
    assert await shared.state.ttl(key) <= 3600


async def test_the_list_of_what_was_given_up_is_bounded(
    deliveries: Deliveries, shared: TaskContext, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    """The oldest of a tenant falls out, and is deleted."""
    monkeypatch.setattr(module, "MAX_GIVEN_UP", 2)
    made = []
    for number in range(3):
        clock.now += 1
        made.append((await _given_up(deliveries, number)).id)
        clock.now += 3600  # its endpoint is not left alone any more
    assert [one.id for one in await deliveries.undelivered("acme")] == [made[2], made[1]]
    assert await shared.state.exists(*map(shared.keys.webhook_delivery, made)) == 2


async def test_an_endpoint_has_its_share_of_tries(deliveries: Deliveries) -> None:
    """And so has a tenant; what finds none waits until another is over."""
    made = [a_delivery(number) for number in range(OF_ENDPOINT + 1)]
    assert [await deliveries.put(one, told=True) for one in made] == [True] * OF_ENDPOINT + [False]
    assert await deliveries.claim(made[-1].id) is None
    assert await _due(deliveries) == []
    others = [replace(a_delivery(number), endpoint="b", id=f"b{number}") for number in range(OF_TENANT)]
    assert sum([await deliveries.put(one, told=True) for one in others]) == OF_TENANT - OF_ENDPOINT
    assert await deliveries.put(a_delivery(99, tenant="other"), told=True)
    claimed = await deliveries.claim(made[0].id)
    assert claimed is not None
    await deliveries.settle(claimed, Answer(status=200), Outcome.DELIVERED, 0.0)
    assert (await deliveries.take("acme", "endpoint")).taken == (made[-1].id,)


async def test_an_endpoint_that_fails_is_left_alone_and_then_tried_by_one(deliveries: Deliveries, clock: Clock) -> None:
    """Longer each time; one success, and all that waits is on its way."""
    await _fail(deliveries, clock, MAX_FAILURES)
    waiting = [a_delivery(number) for number in range(3)]
    for one in waiting:
        assert not await deliveries.put(one, told=True)
    for pause in (PAUSE_S, 2 * PAUSE_S):
        assert await _due(deliveries) == []
        clock.now += pause - 1
        assert await _due(deliveries) == []
        clock.now += 2
        (probe,) = await _due(deliveries)
        claimed = await deliveries.claim(probe)
        assert claimed is not None
        await deliveries.settle(claimed, FAILED, Outcome.AGAIN, clock.now + 1)
    clock.now += 4 * PAUSE_S + 1
    (probe,) = await _due(deliveries)
    claimed = await deliveries.claim(probe)
    assert claimed is not None
    await deliveries.settle(claimed, Answer(status=200), Outcome.DELIVERED, 0.0)
    assert len(await _due(deliveries)) == 2


async def test_what_waits_for_a_day_at_an_endpoint_that_fails_is_given_up(deliveries: Deliveries, clock: Clock) -> None:
    """Without a try of its own."""
    await _fail(deliveries, clock, MAX_FAILURES)
    waiting = a_delivery()
    await deliveries.put(waiting, told=True)
    clock.now += PATIENCE_S + 1
    due = await deliveries.take("acme", "endpoint")
    assert len(due.taken) == 1
    assert waiting.id in {*due.given_up, *due.taken}
    assert len(due.given_up) == MAX_FAILURES
    assert {one.id for one in await deliveries.undelivered("acme")} == set(due.given_up)


async def test_endpoints_are_looked_at_in_turn(deliveries: Deliveries, clock: Clock) -> None:
    """Whoever was looked at goes behind those who wait, however much waits there."""
    for number, tenant in enumerate(["acme"] * 20 + ["other"]):
        await deliveries.put(a_delivery(number, tenant), told=False)
        clock.now += 1
    ((first, endpoint),) = await deliveries.due(1)
    await deliveries.take(first, endpoint)
    clock.now += 1
    assert {first, (await deliveries.due(1))[0][0]} == {"acme", "other"}
