"""Every session is some tenant's: what is done by its id is asked with the tenant, or is out of strangers' reach."""

from __future__ import annotations

import ast
import inspect
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from fakeredis import FakeAsyncRedis

import control
from control.sessions.store import SessionStore
from voicebackend.config import PipelineType
from voicebackend.errors import SessionNotFound
from voicebackend.keys import Keys
from voicebackend.record import SessionRecord
from voicebackend.session import SessionState, Transport

KEYS = Keys()
BY_ID_ALONE = {"move", "append_log", "renew", "many"}
"""For ids that our own processes hand on: tasks and sweeps. Nothing that answers a stranger may call them."""
STRANGERS = ("http", "gateway")
"""Folders of control in which ids come from outside."""
VALUES: dict[str, Any] = {
    "metadata": {"x": 1},
    "agent": "other",
    "retention": {"audio": "none"},
    "position": 3,
    "usage": {"minutes": 1},
}
"""What each method is given besides id and tenant."""


def methods() -> dict[str, inspect.Signature]:
    """Return what the store does by the id of a session, or several."""
    public = {name: member for name, member in vars(SessionStore).items() if not name.startswith("_")}
    signatures = {name: inspect.signature(member) for name, member in public.items() if callable(member)}
    return {name: found for name, found in signatures.items() if {"session_id", "ids"} & found.parameters.keys()}


CHECKED = sorted(methods().keys() - BY_ID_ALONE)


@pytest.fixture
async def redis() -> AsyncIterator[FakeAsyncRedis]:
    """Give a Redis of the test's own."""
    async with FakeAsyncRedis(version=(6, 2)) as client:
        yield client


def test_whatever_takes_an_id_takes_a_tenant_or_is_listed() -> None:
    """A new method that forgets it fails here; what is listed is there."""
    assert methods().keys() >= BY_ID_ALONE | {"get", "set_metadata"}
    for name in CHECKED:
        assert list(methods()[name].parameters)[:3] == ["self", "session_id", "tenant"], name


@pytest.mark.parametrize("state", [SessionState.READY, SessionState.ENDED])
@pytest.mark.parametrize("name", CHECKED)
async def test_another_tenants_id_looks_as_one_that_never_was(
    redis: FakeAsyncRedis, name: str, state: SessionState
) -> None:
    """The same error for both, and for what is no id; nothing in Redis is changed, whatever state the session is in."""
    store = SessionStore(redis, KEYS)
    record = SessionRecord(
        id="a" * 32,
        tenant="acme",
        user_id="u1",
        provider="mock",
        transport=Transport.WEBSOCKET,
        pipeline_type=PipelineType.STT_TTS,
        state=state,
        created_at=1_790_000_000.0,
    )
    fields: dict[Any, Any] = {**record.to_fields()}
    await redis.hset(KEYS.session(record.id), mapping=fields)
    before = await _everything(redis)
    given = [VALUES[parameter] for parameter in list(methods()[name].parameters)[3:]]
    errors = []
    for session, tenant in ((record.id, "other"), (record.id, ""), ("b" * 32, "acme"), ("*", "acme")):
        with pytest.raises(SessionNotFound) as caught:
            await getattr(store, name)(session, tenant, *given)
        errors.append((str(caught.value), caught.value.details))
    assert errors == errors[:1] * len(errors)
    assert await _everything(redis) == before


async def _everything(redis: FakeAsyncRedis) -> dict[Any, Any]:
    return {key: await redis.hgetall(key) for key in await redis.keys()}


def calls() -> Iterator[tuple[str, ast.Call, str]]:
    """Yield where, and how, something that is called a store is asked, where ids come from outside."""
    root = Path(control.__file__).parent
    for path in (path for folder in STRANGERS for path in (root / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = node.func.value
                owned = owner.attr if isinstance(owner, ast.Attribute) else getattr(owner, "id", "")
                if owned.lstrip("_") == "store":
                    yield f"{path.relative_to(root)}:{node.lineno}", node, node.func.attr


def test_nothing_that_answers_strangers_asks_by_an_id_alone() -> None:
    """Neither by a method that takes no tenant, nor without giving it."""
    found = list(calls())
    assert {name for _, _, name in found} >= {"get", "set_metadata", "set_agent"}
    for where, call, name in found:
        assert name not in BY_ID_ALONE, where
        if name in CHECKED:
            assert len(call.args) > 1 or any(given.arg == "tenant" for given in call.keywords), where
