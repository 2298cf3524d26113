"""What Celery runs: the function in its caller's trace, tried again while that helps, then a dead letter."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from celery.exceptions import Retry, SoftTimeLimitExceeded
from opentelemetry import trace
from redis import Redis as SyncRedis
from redis.exceptions import ConnectionError as RedisConnectionError

from control import context
from control.tasks.dead_letters import DeadLetter
from control.tasks.wrapper import GaveUp, body_of, translated
from voicebackend._redis import connect_sync
from voicebackend.config import BackendConfig
from voicebackend.errors import (
    AgentError,
    ConnectionFailed,
    ErrorCode,
    OperationTimeout,
    RateLimitExceeded,
    SessionNotFound,
    VoiceBackendError,
)
from voicebackend.settings import Deployment
from voicebackend.tasks import Queue, Task
from voicebackend.tracing import inject

TASK = Task(name="sessions.test", queue=Queue.SESSIONS, function=f"{__name__}:function", deadline_s=30, max_retries=2)


class Running:
    """A running Celery task, as far as the wrapper knows it."""

    def __init__(self, *, retries: int = 0, expires: Any = None, **headers: str) -> None:
        self.request = SimpleNamespace(
            id="t1", retries=retries, expires=expires, headers=headers or None, delivery_info={}
        )
        self.countdown: float | None = None

    def retry(self, *, exc: Exception, countdown: float, max_retries: int) -> Retry:
        """Remember when to try again."""
        del max_retries
        self.countdown = countdown
        return Retry(exc=exc, when=countdown)


@pytest.fixture
def dead_letters(deployment: Deployment) -> Iterator[Any]:
    """Give what reads the dead letters, with this process's tasks on the test's Redis."""
    context.use(deployment, BackendConfig(provider="mock"))
    with connect_sync(deployment.state_url) as redis:
        yield lambda: _letters(redis, deployment)
    context.close()


def _letters(redis: SyncRedis, deployment: Deployment) -> list[dict[str, str]]:
    entries: Any = redis.xrange(deployment.keys.dead_letters())
    return [{name.decode(): value.decode() for name, value in fields.items()} for _, fields in entries]


def run(monkeypatch: pytest.MonkeyPatch, outcome: Any, running: Running | None = None, **arguments: Any) -> Running:
    """Run a task whose function raises or does this."""

    def function(**given: Any) -> None:
        if isinstance(outcome, BaseException):
            raise outcome
        outcome(**given)

    monkeypatch.setattr("control.tasks.wrapper.load", lambda target, field: function)
    running = running or Running()
    body_of(TASK)(running, **arguments)
    return running


def test_a_task_runs_in_the_trace_of_who_published_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """One trace from the request to what the task does."""
    seen: list[str] = []

    def look(session_id: str) -> None:
        found = trace.get_current_span().get_span_context()
        seen.append(f"{session_id} {found.trace_id:032x}")

    run(monkeypatch, look, Running(traceparent=f"00-{'a' * 32}-{'b' * 16}-01"), session_id="s1")
    assert seen == [f"s1 {'a' * 32}"]


@pytest.mark.parametrize(
    "error", [ConnectionFailed("redis"), RateLimitExceeded("x"), RedisConnectionError("x"), OSError()]
)
def test_what_may_pass_is_tried_again(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    """After a delay that doubles, with full jitter."""
    monkeypatch.setattr("control.tasks.wrapper.random.random", lambda: 0.5)
    for retries, expected in enumerate((0.5, 1.0)):
        running = Running(retries=retries)
        with pytest.raises(Retry):
            run(monkeypatch, error, running)
        assert running.countdown == expected


def test_a_task_that_was_tried_often_enough_is_given_up(monkeypatch: pytest.MonkeyPatch, dead_letters: Any) -> None:
    """Its letter says what, why and how often."""
    with pytest.raises(GaveUp):
        run(monkeypatch, ConnectionFailed("redis", "no answer"), Running(retries=2), session_id="s1")
    (letter,) = dead_letters()
    assert float(letter.pop("at")) > 0
    assert json.loads(letter.pop("arguments")) == {"session_id": "s1"}
    assert letter == {
        "task": TASK.name,
        "code": "connection_failed",
        "reason": "no answer",
        "attempts": "3",
    }


@pytest.mark.parametrize("tells", [True, False], ids=["told", "telling fails"])
def test_who_waits_for_a_task_is_told_when_it_is_given_up(
    monkeypatch: pytest.MonkeyPatch, dead_letters: Any, tells: bool
) -> None:
    """After its last try and not before; where that cannot be told there is its letter all the same."""
    seen: list[Any] = []

    def fail(**_: Any) -> None:
        raise ConnectionFailed("redis", "no answer")

    def gave_up(code: str, **arguments: Any) -> None:
        seen.append((code, arguments))
        if not tells:
            raise ConnectionFailed("redis", "no answer")

    functions = {"m:fail": fail, "m:gave_up": gave_up}
    monkeypatch.setattr("control.tasks.wrapper.load", lambda target, field: functions[target])
    body = body_of(replace(TASK, function="m:fail", gave_up="m:gave_up"))
    with pytest.raises(Retry):
        body(Running(), session_id="s1")
    assert seen == []
    with pytest.raises(GaveUp):
        body(Running(retries=TASK.max_retries), session_id="s1")
    assert seen == [("connection_failed", {"session_id": "s1"})]
    assert len(dead_letters()) == 1


@pytest.mark.parametrize("form", [lambda at: at, lambda at: at.isoformat()], ids=["datetime", "text"])
def test_nothing_is_tried_again_beyond_its_deadline(
    monkeypatch: pytest.MonkeyPatch, dead_letters: Any, form: Any
) -> None:
    """By then nobody waits for it."""
    monkeypatch.setattr("control.tasks.wrapper.random.random", lambda: 1.0)
    soon = form(datetime.now(UTC) + timedelta(seconds=0.5))
    with pytest.raises(GaveUp):
        run(monkeypatch, ConnectionFailed("redis"), Running(expires=soon))
    assert len(dead_letters()) == 1


@pytest.mark.parametrize("error", [SessionNotFound("get"), AgentError("agent", "bad"), ZeroDivisionError("x")])
def test_what_will_not_pass_is_given_up_at_once(
    monkeypatch: pytest.MonkeyPatch, dead_letters: Any, error: Exception
) -> None:
    """Trying again would only repeat it."""
    running = Running()
    with pytest.raises(GaveUp):
        run(monkeypatch, error, running)
    assert running.countdown is None
    assert dead_letters()[0]["attempts"] == "1"


def test_a_foreign_errors_words_are_in_no_letter_and_not_with_celery(
    monkeypatch: pytest.MonkeyPatch, dead_letters: Any
) -> None:
    """They might be what a caller said."""
    with pytest.raises(GaveUp) as caught:
        run(monkeypatch, ValueError("my secret number"))
    assert "secret" not in json.dumps(dead_letters())
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__
    assert dead_letters()[0]["reason"] == "ValueError"


def test_a_letter_that_cannot_be_written_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Redis is down: the task is given up all the same."""
    context.use(Deployment().with_redis("unix:///nowhere/redis.sock"), BackendConfig())
    try:
        with pytest.raises(GaveUp):
            run(monkeypatch, SessionNotFound("get"))
    finally:
        context.close()
    assert "dead letter not written" in caplog.messages


def test_a_task_that_loses_its_process_again_and_again_is_given_up(
    monkeypatch: pytest.MonkeyPatch, dead_letters: Any
) -> None:
    """Celery would hand it out for ever; a retry of its own begins to count anew."""
    ran: list[str] = []

    def note(session_id: str) -> None:
        ran.append(session_id)

    running = Running(retries=0)
    for retries in (0, 1):
        for _ in range(2):
            running = Running(retries=retries)
            running.request.delivery_info = {"redelivered": True}
            run(monkeypatch, note, running, session_id="s1")
    assert len(ran) == 4
    with pytest.raises(GaveUp):
        run(monkeypatch, note, running, session_id="s1")
    assert len(ran) == 4
    (letter,) = dead_letters()
    assert (letter["code"], letter["attempts"]) == ("pipeline_error", "3")
    assert letter["reason"] == "its process ended 3 times while it ran"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (OSError("x"), ConnectionFailed),
        (SoftTimeLimitExceeded(), OperationTimeout),
        (KeyError("x"), VoiceBackendError),
        (SessionNotFound("x"), SessionNotFound),
    ],
)
def test_failures_are_told_in_our_terms(error: Exception, kind: type[VoiceBackendError]) -> None:
    """One table of codes for everyone."""
    assert type(translated(TASK, error)) is kind


def test_a_letters_arguments_and_code_come_from_the_failure() -> None:
    """An error of ours keeps its message, which never has what a caller said."""
    letter = DeadLetter.of("t", {"turn": 1}, OperationTimeout("x", "too slow"), attempts=4)
    assert (letter.code, letter.reason, letter.attempts) == (ErrorCode.TIMEOUT, "too slow", 4)


class Figures:
    """A metric that remembers."""

    def __init__(self) -> None:
        self.told: list[tuple[float, dict[str, str]]] = []

    def record(self, value: float, labels: dict[str, str]) -> None:
        """Take a figure."""
        self.told.append((round(value, 1), labels))

    add = record


def test_how_long_a_task_waited_is_told_by_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody writes down when a task is published; its deadline is so many seconds later."""
    waited = Figures()
    monkeypatch.setattr("control.tasks.wrapper.queue_age_seconds", waited)
    expires = datetime.now(UTC) + timedelta(seconds=TASK.deadline_s - 4)
    run(monkeypatch, lambda: None, Running(expires=expires.isoformat()))
    run(monkeypatch, lambda: None, Running())
    ((told, labels), (unknown, _)) = waited.told
    assert labels == {"queue": "sessions"}
    assert 3.9 <= told < 10
    assert unknown == 0


def test_a_task_that_is_given_up_is_counted(monkeypatch: pytest.MonkeyPatch, dead_letters: Any) -> None:
    """By name and code, so that somebody can be woken."""
    given_up = Figures()
    monkeypatch.setattr("control.tasks.wrapper.tasks_failed", given_up)
    with pytest.raises(GaveUp):
        run(monkeypatch, SessionNotFound("x"))
    assert given_up.told == [(1, {"task": TASK.name, "error_code": "session_not_found"})]
    assert len(dead_letters()) == 1


def test_what_looks_for_work_every_second_makes_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it finds belongs to the trace of whom that concerns."""
    seen: list[str] = []
    monkeypatch.setattr("control.tasks.wrapper.load", lambda target, field: lambda: seen.append(inject()))
    polled = Task(name="sessions.test", queue=Queue.SESSIONS, function="x:y", deadline_s=3, every_s=1)
    body_of(polled)(Running())
    assert seen == [""]
