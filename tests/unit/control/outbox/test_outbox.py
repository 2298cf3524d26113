"""From what happens to what arrives: endpoints, the outbox, and the task that tries."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from task_harness import RecordingPublisher, a_record, published, task_context
from webhook_receiver import receiving

from control.context import TaskContext
from control.outbox.deliveries import Deliveries
from control.outbox.delivery import State
from control.outbox.endpoints import MAX_OLD, Endpoints
from control.outbox.outbox import Outbox
from control.tasks.ending import clean_up
from control.tasks.webhooks import try_once
from voicebackend.errors import ConnectionFailed, InvalidConfig, SessionNotFound
from voicebackend.session import SessionState
from voicebackend.settings import Deployment
from voicebackend.webhook_endpoints import MAX_ENDPOINTS
from voicebackend.webhooks import Event, EventType, sign, verify

URL = "https://hooks.example.com/hook"
ENDED = EventType.SESSION_ENDED


@pytest.fixture
async def own(deployment: Deployment) -> AsyncIterator[TaskContext]:
    """Give what tasks work with, of a deployment that may ask its own network."""
    async with task_context(replace(deployment, private_webhooks=True)) as context:
        yield context


def endpoints_of(shared: TaskContext) -> Endpoints:
    """Return the endpoints of a deployment."""
    return Endpoints(shared.state, shared.deployment)


def told(shared: TaskContext) -> list[str]:
    """Return the deliveries that tasks were published for."""
    return [arguments["delivery_id"] for name, arguments in published(shared) if name == "webhooks.deliver"]


async def _delivery(shared: TaskContext, id_: str) -> Mapping[str, str]:
    raw: Any = await shared.state.hgetall(shared.keys.webhook_delivery(id_))
    return {name.decode(): value.decode() for name, value in raw.items()}


async def test_each_endpoint_that_wants_an_event_gets_it(shared: TaskContext) -> None:
    """And no other: not one of other events, nor of another tenant."""
    endpoints = endpoints_of(shared)
    all_, _ = await endpoints.add("acme", URL, [])
    some, _ = await endpoints.add("acme", URL, [ENDED])
    await endpoints.add("acme", URL, [EventType.TURN_COMPLETED])
    await endpoints.add("other", URL, [])
    for _ in range(2):  # as a task that Celery delivers twice does
        await shared.outbox.put(ENDED, tenant="acme", session="s1", data={"state": "ended"})
    written = [await _delivery(shared, id_) for id_ in told(shared)]
    assert sorted(one["endpoint"] for one in written) == sorted([all_.id, some.id])
    assert {one["tenant"] for one in written} == {"acme"}
    assert await shared.outbox.wants("acme", EventType.RECORDING_READY)
    assert not await shared.outbox.wants("nobody", ENDED)


async def test_what_cannot_be_queued_waits_for_the_sweep(shared: TaskContext) -> None:
    """So does what comes from a process without a publisher."""
    await endpoints_of(shared).add("acme", URL, [])
    await Outbox(shared.state, shared.keys).put(ENDED, tenant="acme", session="s1")
    assert told(shared) == []
    deliveries = Deliveries(shared.state, shared.keys)
    ((tenant, endpoint),) = await deliveries.due(10)
    (id_,) = (await deliveries.take(tenant, endpoint)).taken
    assert (await _delivery(shared, id_))["session"] == "s1"


async def test_an_event_arrives_signed_by_its_endpoints_secret(own: TaskContext) -> None:
    """Once: another task for the same delivery finds nothing to do."""
    async with receiving() as receiver:
        _, receiver.secret = await endpoints_of(own).add("acme", receiver.url, [])
        await own.outbox.put(ENDED, tenant="acme", session="s1", data={"state": "failed", "reason": "timeout"})
        (id_,) = told(own)
        await try_once(own, id_)
        await try_once(own, id_)
    (event,) = receiver.events
    assert (event.session_id, event.type, event.data["reason"]) == ("s1", "session.ended", "timeout")
    assert (await _delivery(own, id_))["state"] == State.DELIVERED


async def test_an_endpoint_that_was_removed_gets_nothing_more(own: TaskContext) -> None:
    """What was on its way there is given up at once."""
    async with receiving() as receiver:
        endpoint, receiver.secret = await endpoints_of(own).add("acme", receiver.url, [])
        await own.outbox.put(ENDED, tenant="acme", session="s1")
        await endpoints_of(own).remove("acme", endpoint.id)
        (id_,) = told(own)
        await try_once(own, id_)
    assert receiver.requests == 0
    assert (await _delivery(own, id_))["state"] == State.GIVEN_UP


async def test_a_private_address_is_not_asked_even_if_it_was_let_in_before(
    shared: TaskContext, own: TaskContext
) -> None:
    """A deployment that allowed it once, and does not any more."""
    async with receiving() as receiver:
        await endpoints_of(own).add("acme", receiver.url, [])
        await shared.outbox.put(ENDED, tenant="acme", session="s1")
        (id_,) = told(shared)
        await try_once(shared, id_)
    assert receiver.requests == 0
    assert (await _delivery(shared, id_))["error"].startswith("url: ")


@pytest.mark.parametrize(
    "url", ["http://hooks.example.com/", "https://127.0.0.1/", "https://[::1]/", "x", "https://a:b@c/"]
)
async def test_an_address_that_may_not_be_asked_cannot_be_added(shared: TaskContext, url: str) -> None:
    """It is refused at once, with what to do."""
    with pytest.raises(InvalidConfig) as caught:
        await endpoints_of(shared).add("acme", url, [])
    assert caught.value.details["field"] == "url"
    assert await endpoints_of(shared).all("acme") == []


async def test_a_tenant_has_its_own_endpoints_and_not_too_many(shared: TaskContext) -> None:
    """Those of another are neither listed nor removed nor given another secret."""
    endpoints = endpoints_of(shared)
    made = [(await endpoints.add("acme", URL, []))[0].id for _ in range(MAX_ENDPOINTS)]
    with pytest.raises(InvalidConfig):
        await endpoints.add("acme", URL, [])
    assert [endpoint.id for endpoint in await endpoints.all("acme")] == made
    assert await endpoints.all("other") == []
    for change in (endpoints.remove, endpoints.rotate):
        with pytest.raises(SessionNotFound):
            await change("other", made[0])
    await endpoints.remove("acme", made[0])
    await endpoints.add("acme", URL, [])


async def test_secrets_lie_sealed_and_two_sign_for_a_day(shared: TaskContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in Redis shows one; a receiver may know either."""
    endpoints = endpoints_of(shared)
    first, old = await endpoints.add("acme", URL, [])
    now, new = await endpoints.rotate("acme", first.id)
    lying = str(await shared.state.hgetall(shared.keys.webhook_endpoints("acme")))  # type: ignore[misc]
    assert old not in lying
    assert new not in lying
    assert await endpoints.secrets_of("acme", now) == [new, old]
    event = Event(id="e", type="x", created_at=1.0, tenant="acme", session_id="s")
    signature = sign(event.to_body(), await endpoints.secrets_of("acme", now), 100)
    for secret in (old, new):
        assert verify({"Voicebackend-Signature": signature}, event.to_body(), secret, now=100) == event
    later = replace(now, old=[(sealed, at - 25 * 3600) for sealed, at in now.old])
    assert await endpoints.secrets_of("acme", later) == [new]


async def test_a_second_rotation_leaves_the_first_ones_secret(shared: TaskContext) -> None:
    """As where an answer was lost: the receiver's secret signs for its day, however often there is a new one."""
    endpoints = endpoints_of(shared)
    first, kept = await endpoints.add("acme", URL, [])
    rotated = [(await endpoints.rotate("acme", first.id))[1] for _ in range(MAX_OLD)]
    with pytest.raises(InvalidConfig, match="within a day"):
        await endpoints.rotate("acme", first.id)
    now = await endpoints.find("acme", first.id)
    assert now is not None
    assert await endpoints.secrets_of("acme", now) == [*reversed(rotated), kept]


async def test_what_a_newer_version_keeps_is_passed_over(shared: TaskContext) -> None:
    """So that both may run during an upgrade; the endpoint can be changed all the same."""
    endpoints = endpoints_of(shared)
    made, _ = await endpoints.add("acme", URL, [])
    newer = json.dumps({**json.loads(made.to_json()), "colour": "blue"})
    await shared.state.hset(shared.keys.webhook_endpoints("acme"), made.id, newer)  # type: ignore[misc]
    assert await endpoints.find("acme", made.id) == made
    assert await endpoints.all("acme") == [made]
    rotated, _ = await endpoints.rotate("acme", made.id)
    assert rotated.id == made.id


async def test_another_secret_of_the_deployment_is_told_as_that(own: TaskContext) -> None:
    """The delivery waits, and says what to do."""
    others = replace(own.deployment, token_secret="another secret, of at least thirty-two bytes")
    async with receiving() as receiver:
        await endpoints_of(own).add("acme", receiver.url, [])
        await own.outbox.put(ENDED, tenant="acme", session="s1")
        (id_,) = told(own)
        async with task_context(others) as elsewhere:
            await try_once(elsewhere, id_)
    assert receiver.requests == 0
    assert "VOICEBACKEND_TOKEN_SECRET" in (await _delivery(own, id_))["error"]


async def test_the_end_of_a_session_is_told_also_when_it_is_cleaned_up_twice(shared: TaskContext) -> None:
    """By how it ended and why; not by who talked, whom an erasure could not reach there."""
    await endpoints_of(shared).add("default", URL, [ENDED])
    record = a_record(state=SessionState.FAILED, reason="pipeline_error")
    await shared.store.create(record)
    for _ in range(2):
        await clean_up(shared, record)
    (id_,) = told(shared)
    body = (await _delivery(shared, id_))["body"]
    assert '"data":{"state":"failed","reason":"pipeline_error"}' in body
    assert "ada" not in body.lower()


async def test_where_redis_is_away_what_happens_goes_on(shared: TaskContext, monkeypatch: pytest.MonkeyPatch) -> None:
    """A turn that was answered is no failure because of it; an end is told again by its task."""

    async def away(*_: Any) -> Any:
        raise RedisConnectionError("away")

    monkeypatch.setattr(shared.state, "hvals", away)
    assert await shared.outbox.wants("acme", ENDED)
    await shared.outbox.put_or_log(ENDED, tenant="acme", session="s1")
    with pytest.raises(ConnectionFailed):
        await shared.outbox.put(ENDED, tenant="acme", session="s1")


async def test_without_endpoints_nothing_is_written(shared: TaskContext) -> None:
    """Nor any task published."""
    assert isinstance(shared.publisher, RecordingPublisher)
    await shared.outbox.put(ENDED, tenant="acme", session="s1")
    assert (told(shared), await shared.state.exists(shared.keys.webhooks_waiting())) == ([], 0)
