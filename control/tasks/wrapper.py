"""What Celery runs for every task: its function within the caller's trace, retries while it is worth it, a dead letter.

Celery's own log of a failure would show the exception's words and trace, so failures are logged here and Celery
learns only that the task was given up.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded
from opentelemetry.trace import SpanKind
from redis.exceptions import RedisError

from control import context
from control.tasks.dead_letters import DeadLetter, bury
from control.tasks.deliveries import MAX_DELIVERIES, lost_its_process
from voicebackend._importer import load
from voicebackend.errors import ConnectionFailed, OperationTimeout, PipelineError, VoiceBackendError, as_error
from voicebackend.publisher import TRACE_HEADER
from voicebackend.retry import RetryPolicy
from voicebackend.tasks import Task
from voicebackend.telemetry import queue_age_seconds, tasks_failed
from voicebackend.tracing import ERROR_CODE, about, attached, error_code, quiet, span

logger = logging.getLogger(__name__)


class GaveUp(Exception):
    """A task failed for good; its dead letter tells why."""


def body_of(task: Task) -> Callable[..., None]:
    """Return the function that Celery registers for a task; bound, so it is given the running Celery task first."""

    def body(running: Any, /, **arguments: Any) -> None:
        headers = running.request.headers or {}
        waited_s = task.deadline_s - _seconds_left(running.request.expires)
        queue_age_seconds.record(max(0.0, waited_s), {"queue": str(task.queue)})
        with _traced(task, headers.get(TRACE_HEADER), arguments.get("session_id")):
            _give_up_if_deadly(task, running, arguments)
            try:
                load(task.function, field=task.name)(**arguments)
                logger.log(_level(task), "task done", extra={"task": task.name, **task.telling(arguments)})
            except Exception as error:  # noqa: BLE001 - every failure is recorded, and raised as Celery needs it
                _recover(task, running, arguments, error)

    return body


@contextmanager
def _traced(task: Task, traceparent: str | None, session_id: str | None) -> Iterator[None]:
    """Go on with the publisher's trace; what looks for work every second or so makes no spans until it finds some."""
    named = span(f"task.{task.name}", kind=SpanKind.CONSUMER, queue=str(task.queue))
    with attached(traceparent), about(session_id=session_id), quiet() if task.every_s else named:
        yield


def _level(task: Task) -> int:
    """Return how loud a success is told: what runs every second or so says nothing new."""
    return logging.DEBUG if task.every_s else logging.INFO


def _give_up_if_deadly(task: Task, running: Any, arguments: dict[str, Any]) -> None:
    """Raise GaveUp, and write a dead letter, if the task has killed its process as often as it may."""
    shared = context.current()
    lost = lost_its_process(shared.sync_state, shared.keys, running.request)
    if lost < MAX_DELIVERIES:
        return
    told = {"task": task.name, "deliveries": lost, **task.telling(arguments)}
    logger.error("task given up: it kills its process", extra=told)
    deadly = PipelineError(task.name, f"its process ended {lost} times while it ran")
    _bury(DeadLetter.of(task.name, task.telling(arguments), deadly, attempts=lost))
    _tell(task, arguments, deadly)
    raise GaveUp(task.name)


def _recover(task: Task, running: Any, arguments: dict[str, Any], error: Exception) -> None:
    """Raise Celery's Retry, or GaveUp once a dead letter is written."""
    attempt = running.request.retries + 1
    known = translated(task, error)
    delay = RetryPolicy(max_retries=task.max_retries).delay_after(attempt, known, jitter=random.random())  # noqa: S311 - jitter
    extra = {"task": task.name, "attempt": attempt, "code": error_code(known)}
    if delay is not None and _seconds_left(running.request.expires) > delay:
        logger.warning("task will be tried again", extra={**extra, "delay_s": round(delay, 3)})
        raise running.retry(exc=GaveUp(task.name), countdown=delay, max_retries=task.max_retries)
    logger.error("task given up", extra=extra, exc_info=error)
    _bury(DeadLetter.of(task.name, task.telling(arguments), known, attempts=attempt))
    _tell(task, arguments, known)
    raise GaveUp(f"{task.name}: {error_code(known)}") from None


def _tell(task: Task, arguments: dict[str, Any], error: VoiceBackendError) -> None:
    """Have whoever waits for a task told that it was given up; the letter is written, whatever becomes of this."""
    if not task.gave_up:
        return
    try:
        load(task.gave_up, field=task.name)(error_code(error), **arguments)
    except Exception as failure:  # noqa: BLE001 - the task's own failure is what is raised
        logger.error("end of task not told", extra={"task": task.name, "code": error_code(failure)})  # noqa: TRY400


def translated(task: Task, error: Exception) -> VoiceBackendError:
    """Return a failure as an error of ours: what the network did may pass, what nobody expected will not."""
    ours = as_error(error)
    if ours is not None:
        return ours
    name = type(error).__name__
    if isinstance(error, RedisError | OSError):
        return ConnectionFailed(task.name, name)
    if isinstance(error, SoftTimeLimitExceeded):
        return OperationTimeout(task.name, "the task ran into Celery's time limit")
    return VoiceBackendError(task.name, name)


def _seconds_left(expires: Any) -> float:
    """Return the seconds until a task's deadline; Celery gives it as ISO 8601 text or a datetime."""
    if expires is None:
        return float("inf")
    until = datetime.fromisoformat(expires) if isinstance(expires, str) else expires
    return float((until - datetime.now(UTC)).total_seconds())


def _bury(letter: DeadLetter) -> None:
    tasks_failed.add(1, {"task": letter.task, ERROR_CODE: letter.code})
    shared = context.current()
    try:
        bury(shared.sync_state, shared.keys, letter)  # not on the loop: that may be what is stuck
    except VoiceBackendError as error:
        logger.error("dead letter not written", extra={**letter.to_fields(), "error": type(error).__name__})  # noqa: TRY400 - the trace says nothing
