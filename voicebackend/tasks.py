"""Celery's vocabulary: queues, task names with their limits, and the settings that every Celery app shares.

Task arguments are ids and numbers only, never what a caller said. A task's function lives in ``control``; the worker
names it and never imports it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from voicebackend.celery_broker import broker_options, broker_tls, broker_url


class Queue(StrEnum):
    """One queue for each kind of work, so that one cannot hold up another."""

    SESSIONS = "sessions"
    AGENTS = "agents"
    TELEPHONY = "telephony"
    RETENTION = "retention"
    POST_CALL = "post_call"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A task: its name, queue and limits."""

    name: str
    queue: Queue
    function: str
    """``module:attr`` of the plain function behind it."""
    deadline_s: float
    """Seconds after publication at which it is no longer worth starting."""
    max_retries: int = 3
    every_s: float = 0.0
    """Seconds between its runs if it is scheduled; 0 if it is published when there is something to do."""


SESSIONS_CREATE = Task(
    name="sessions.create",
    queue=Queue.SESSIONS,
    function="control.tasks.sessions:create",
    deadline_s=30,
)
"""``(session_id)``: tell the holder of its lane to start a session that has its slot."""
SESSIONS_CLOSE = Task(
    name="sessions.close",
    queue=Queue.SESSIONS,
    function="control.tasks.sessions:close",
    deadline_s=300,
)
"""``(session_id, reason)``: tell the worker to end it; end a session that no worker has."""
SESSIONS_REPORT = Task(
    name="sessions.report",
    queue=Queue.SESSIONS,
    function="control.tasks.sessions:report",
    deadline_s=300,
)
"""``(session_id, state, epoch, reason)``: the worker says how a session ended, and under which epoch."""
SESSIONS_EXPIRE = Task(
    name="sessions.expire",
    queue=Queue.SESSIONS,
    function="control.tasks.sessions:expire",
    deadline_s=30,
    max_retries=0,
    every_s=5.0,
)
"""``()``: scheduled; compare what should be with what is, and repair it."""
SESSIONS_QUEUE = Task(
    name="sessions.queue",
    queue=Queue.SESSIONS,
    function="control.tasks.queue:sweep",
    deadline_s=3,
    max_retries=0,
    every_s=1.0,
)
"""``()``: scheduled; give free slots to sessions that wait, and end those that waited too long."""
AGENTS_TURN = Task(
    name="agents.turn",
    queue=Queue.AGENTS,
    function="control.tasks.agents:turn",
    deadline_s=10,
    max_retries=0,
)
"""``(session_id, turn, attempt)``: let the agent answer. The worker publishes the next attempt, never Celery."""
RETENTION_APPLY = Task(
    name="retention.apply",
    queue=Queue.RETENTION,
    function="control.tasks.retention:apply",
    deadline_s=86_400,
    max_retries=10,
)
"""``(session_id)``: keep or delete what a finished session left."""

TASKS: Mapping[str, Task] = {
    task.name: task
    for task in (
        *(SESSIONS_CREATE, SESSIONS_CLOSE, SESSIONS_REPORT, SESSIONS_EXPIRE, SESSIONS_QUEUE),
        *(AGENTS_TURN, RETENTION_APPLY),
    )
}
"""Every task by name."""

SCHEDULED = tuple(task for task in TASKS.values() if task.every_s)
"""The tasks that beat, or what stands in for it, publishes."""
RESTART = 75
"""The exit code of a Celery worker that takes no tasks though it could: start it again (``EX_TEMPFAIL``)."""
TIME_LIMIT_S = 60
"""Seconds after which a prefork child that runs a task is replaced."""
VISIBILITY_TIMEOUT_S = 180
"""Seconds after which Redis hands an unacknowledged task out again: more than limit and longest delay together."""


def celery_settings(redis_url: str, *, key_prefix: str = "vb:") -> dict[str, Any]:
    """Return the settings of every Celery app on this broker, publishers included.

    Raises:
        InvalidConfig: the URL is none, or of a Redis that Celery cannot use.

    """
    return {
        "broker_url": broker_url(redis_url),
        "task_serializer": "json",
        "accept_content": ["json"],
        "result_serializer": "json",
        "task_ignore_result": True,
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_time_limit": TIME_LIMIT_S,
        "task_soft_time_limit": TIME_LIMIT_S - 15,
        "task_default_queue": Queue.SESSIONS.value,
        "task_create_missing_queues": False,
        "worker_prefetch_multiplier": 1,
        "worker_cancel_long_running_tasks_on_connection_loss": True,
        "worker_soft_shutdown_timeout": 10,
        "worker_enable_soft_shutdown_on_idle": True,
        "worker_send_task_events": False,  # a fifth of a task's cost; Flower turns them on while it watches
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_pool_limit": 16,
        "task_publish_retry_policy": {"max_retries": 1, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.2},
        "broker_transport_options": {
            "visibility_timeout": VISIBILITY_TIMEOUT_S,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "global_keyprefix": key_prefix,
            **broker_options(redis_url),
        },
        **broker_tls(redis_url),
    }
