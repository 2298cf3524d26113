"""``sessions.open``: a web app's task makes a session, once, or tells why it cannot be had."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from task_harness import LANE, announce, published

from control import loop
from control.context import TaskContext
from control.outbox.endpoints import Endpoints
from control.pseudonym import Pseudonyms
from control.tasks import opening
from voicebackend import channel
from voicebackend.deployment_secret import token_secret
from voicebackend.errors import InvalidConfig, ProviderNotFound, SessionLimitExceeded, SessionNotFound
from voicebackend.session import SessionState
from voicebackend.webhooks import EventType

CAN = '{"mock": {"capabilities": {"transports": ["websocket"], "pipelines": ["stt_tts"], "uses_agent": true}}}'


@pytest.fixture
async def worker(shared: TaskContext) -> None:
    """Have a worker announced that takes sessions."""
    await channel.create(shared.audio, shared.keys.lane(LANE))
    await announce(shared.state, shared.keys, "w1", {LANE: 10}, providers=CAN)


async def _open(shared: TaskContext, session_id: str, **fields: Any) -> None:
    await opening.make_session(shared, session_id, "42", {"agent": "clerk", **fields})


def _id() -> str:
    return uuid.uuid4().hex


@pytest.mark.usefixtures("worker")
async def test_a_session_is_made_once(shared: TaskContext) -> None:
    """With the id that was chosen, also when Celery delivers the task twice."""
    session_id = _id()
    for _ in range(2):
        await _open(shared, session_id)
    record = await shared.store.get(session_id, "default")
    assert (record.state, record.user_id, record.agent) == (SessionState.STARTING, "42", "clerk")
    assert await shared.state.scard(shared.keys.lane_sessions(LANE)) == 1  # type: ignore[misc]


@pytest.mark.usefixtures("worker")
async def test_another_tenant_may_be_named(shared: TaskContext) -> None:
    """Whoever has the broker speaks for all."""
    session_id = _id()
    await _open(shared, session_id, tenant="acme", transport="websocket")
    record = await shared.store.get(session_id, "acme")
    assert record.tenant == "acme"
    made = Pseudonyms.by(await token_secret(shared.state, shared.deployment))
    assert record.pseudonym == made.of("acme", "42")  # as of a session made over HTTP
    with pytest.raises(SessionNotFound):
        await shared.store.get(session_id, "default")


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    "fields",
    [
        *({"tenant": "a b"}, {"tenant": ""}, {"transport": "telephony"}, {"transport": "pigeon"}, {"max_wait": 1000}),
        *({"metadata": {"a": 1}}, {"agent": 7}, {"session_id": "0f"}, {"session_id": "../" + "0" * 29}),
    ],
)
async def test_what_is_wrong_is_refused_and_nothing_written(shared: TaskContext, fields: dict[str, Any]) -> None:
    """By an error that names the field."""
    session_id = fields.pop("session_id", _id())
    with pytest.raises(InvalidConfig):
        await _open(shared, session_id, **fields)
    assert await shared.state.exists(shared.keys.session(session_id)) == 0


async def test_one_that_cannot_be_had_is_told_of(shared: TaskContext) -> None:
    """By a webhook, as a session that failed: nobody waits for the task's answer."""
    await Endpoints(shared.state, shared.deployment).add("default", "https://example.com/", [EventType.SESSION_ENDED])
    session_id, other = _id(), _id()
    with pytest.raises(SessionLimitExceeded):
        await _open(shared, session_id)
    await opening.tell_failed(shared, "session_limit_exceeded", session_id, "default")
    await announce(shared.state, shared.keys, "w1", {LANE: 10}, providers=CAN)
    with pytest.raises(ProviderNotFound):
        await _open(shared, other, provider="nobody")
    await opening.tell_failed(shared, "provider_not_found", other, "default")
    for wrong in (("../" + "0" * 29, "default"), (_id(), "a b")):
        await opening.tell_failed(shared, "invalid_config", *wrong)
    deliveries = [arguments["delivery_id"] for name, arguments in published(shared) if name == "webhooks.deliver"]
    bodies: list[Any] = [await shared.state.hget(shared.keys.webhook_delivery(id_), "body") for id_ in deliveries]  # type: ignore[misc]
    for reason, body in zip((b"session_limit_exceeded", b"provider_not_found"), bodies, strict=True):
        assert reason in body
    assert session_id.encode() in bodies[0]


@pytest.mark.usefixtures("worker")
async def test_a_session_that_runs_is_not_told_of_as_failed(shared: TaskContext) -> None:
    """Though its task comes again when nobody can be had any more: its own end is what is told."""
    await Endpoints(shared.state, shared.deployment).add("default", "https://example.com/", [EventType.SESSION_ENDED])
    session_id = _id()
    await _open(shared, session_id)
    await announce(shared.state, shared.keys, "w1", {LANE: 0}, providers=CAN)
    await _open(shared, session_id)
    await _open(shared, session_id, provider="nobody")
    await opening.tell_failed(shared, "session_limit_exceeded", session_id, "default")
    assert [name for name, _ in published(shared) if name == "webhooks.deliver"] == []


def test_the_task_takes_what_celery_gives_it(monkeypatch: pytest.MonkeyPatch, shared: TaskContext) -> None:
    """Named arguments, the first two of which must be there."""
    seen: list[Any] = []

    async def make(_shared: TaskContext, *arguments: Any) -> None:
        seen.append(arguments)

    monkeypatch.setattr(opening, "make_session", make)
    monkeypatch.setattr(opening, "tell_failed", make)
    monkeypatch.setattr(opening.context, "current", lambda: shared)
    try:
        opening.open_session(session_id="s", user_id="42", agent="clerk", max_wait=5)
        opening.not_opened("timeout", session_id="s", user_id="42", agent="clerk", max_wait=5)
    finally:
        loop.close()
    assert seen == [("s", "42", {"agent": "clerk", "max_wait": 5}), ("timeout", "s", "default")]
