"""Which arguments of a task are written down: none that says who somebody is, all that ours have."""

from __future__ import annotations

import inspect
import json
from types import SimpleNamespace
from typing import Any

import pytest
from redis import Redis as SyncRedis

from control import context
from control.tasks.wrapper import GaveUp, body_of
from voicebackend._importer import load
from voicebackend._redis import connect_sync
from voicebackend.config import BackendConfig
from voicebackend.errors import SessionNotFound
from voicebackend.settings import Deployment
from voicebackend.tasks import SESSIONS_OPEN, TASKS

WHOSE = {"session_id": "s1", "user_id": "canary-7", "agent": "canary-8", "metadata": {"name": "canary-9"}}
"""What an application may give ``sessions.open``."""


def opened(monkeypatch: pytest.MonkeyPatch, outcome: Exception | None = None) -> None:
    """Run the task; its function raises this, or does nothing."""

    def loaded(target: str, **_: Any) -> Any:
        def function(*_: Any, **__: Any) -> None:
            if outcome is not None and target == SESSIONS_OPEN.function:
                raise outcome

        return function

    monkeypatch.setattr("control.tasks.wrapper.load", loaded)
    request = SimpleNamespace(id="t1", retries=0, expires=None, headers=None, delivery_info={})
    body_of(SESSIONS_OPEN)(SimpleNamespace(request=request), **WHOSE)


def letters(redis: SyncRedis, deployment: Deployment) -> list[dict[bytes, bytes]]:
    """Return the dead letters."""
    entries: Any = redis.xrange(deployment.keys.dead_letters())
    return [fields for _, fields in entries]


def test_whom_a_session_is_for_is_in_no_letter_and_no_log(
    monkeypatch: pytest.MonkeyPatch, deployment: Deployment, caplog: pytest.LogCaptureFixture
) -> None:
    """Of its arguments the session's id alone is told, whether it is done, given up, or kills its process."""
    caplog.set_level("DEBUG")
    context.use(deployment, BackendConfig(provider="mock"))
    try:
        opened(monkeypatch)
        with pytest.raises(GaveUp):
            opened(monkeypatch, SessionNotFound("get"))
        monkeypatch.setattr("control.tasks.wrapper.lost_its_process", lambda *_: 3)
        with pytest.raises(GaveUp):
            opened(monkeypatch)
    finally:
        context.close()
    ours = [vars(record) for record in caplog.records if record.name == "control.tasks.wrapper"]
    assert [one["message"] for one in ours] == ["task done", "task given up", "task given up: it kills its process"]
    with connect_sync(deployment.state_url) as redis:
        buried = letters(redis, deployment)
    assert [json.loads(letter[b"arguments"]) for letter in buried] == [{"session_id": "s1"}] * 2
    assert "canary" not in f"{ours}{buried}"


def test_every_argument_of_our_own_tasks_is_told() -> None:
    """A letter has what is needed to publish the task again."""
    for task in TASKS.values():
        names = inspect.signature(load(task.function, field=task.name)).parameters
        assert task is SESSIONS_OPEN or task.telling(dict.fromkeys(names)).keys() == set(names), task.name
