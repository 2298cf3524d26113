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
    WEBHOOKS = "webhooks"


TOLD = frozenset(["session_id", "turn", "attempt", "event", "state", "epoch", "reason", "spoken", "delivery_id"])
"""Arguments that log and dead letters name, unless a task says otherwise: no erasure reaches these."""


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
    told: frozenset[str] = TOLD
    gave_up: str = ""
    """``module:attr`` of what is told an error's code and the arguments, where nobody else hears of a failure."""

    def telling(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return those of its arguments that may be written down."""
        return {name: value for name, value in arguments.items() if name in self.told}


SESSIONS_OPEN = Task(
    name="sessions.open",
    queue=Queue.SESSIONS,
    function="control.tasks.opening:open_session",
    gave_up="control.tasks.opening:not_opened",
    deadline_s=300,
    told=frozenset({"session_id"}),  # the rest is an application's, and says who its user is
)
"""``(session_id, user_id, …)``: make a session for an application that has the broker: ``control.tasks.opening``."""
SESSIONS_CREATE = Task(
    name="sessions.create", queue=Queue.SESSIONS, function="control.tasks.sessions:create", deadline_s=30
)
"""``(session_id)``: tell the holder of its lane to start a session that has its slot."""
SESSIONS_CLOSE = Task(
    name="sessions.close", queue=Queue.SESSIONS, function="control.tasks.sessions:close", deadline_s=300
)
"""``(session_id, reason)``: tell the worker to end it; end a session that no worker has."""
SESSIONS_REPORT = Task(
    name="sessions.report", queue=Queue.SESSIONS, function="control.tasks.sessions:report", deadline_s=300
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
AGENTS_EVENT = Task(
    name="agents.event",
    queue=Queue.AGENTS,
    function="control.tasks.events:event",
    deadline_s=300,
)
"""``(session_id, event, turn, attempt)``: tell the orchestrator what happened in a session."""
AGENTS_REMEMBER = Task(
    name="agents.remember",
    queue=Queue.AGENTS,
    function="control.tasks.remembering:remember",
    deadline_s=3_000,
    max_retries=10,
)
"""``(session_id)``: remember what was said in a finished session; then keep or delete what it left."""
POST_CALL_KEEP = Task(
    name="post_call.keep",
    queue=Queue.POST_CALL,
    function="control.tasks.post_call:keep_records",
    deadline_s=3_000,
    max_retries=10,
)
"""``(session_id)``: write what a finished session leaves, as its policies say."""
POST_CALL_LOST = Task(
    name="post_call.lost",
    queue=Queue.POST_CALL,
    function="control.tasks.post_call:look_for_lost",
    deadline_s=60,
    max_retries=0,
    every_s=60.0,
)
"""``()``: scheduled; tell again of finished sessions whose records nobody wrote."""
RETENTION_SWEEP = Task(
    name="retention.sweep",
    queue=Queue.RETENTION,
    function="control.tasks.sweeping:sweep_due",
    deadline_s=10,
    max_retries=0,
    every_s=10.0,
)
"""``()``: scheduled; delete what is due, and write its receipts."""
RETENTION_SEAL = Task(
    name="retention.seal",
    queue=Queue.RETENTION,
    function="control.tasks.sweeping:seal_receipts",
    deadline_s=3_600,
    max_retries=3,
    every_s=3_600.0,
)
"""``()``: scheduled; put the receipts into the store."""
TELEPHONY_TRANSFER = Task(
    name="telephony.transfer",
    queue=Queue.TELEPHONY,
    function="control.tasks.transfers:transfer",
    deadline_s=30,
    max_retries=0,
)
"""``(session_id, turn, spoken)``: hand the caller over as the agent wished, once that turn was heard."""
TELEPHONY_DIAL = Task(
    name="telephony.dial",
    queue=Queue.TELEPHONY,
    function="control.tasks.telephony:dial",
    deadline_s=3,
    max_retries=0,
    every_s=1.0,
)
"""``()``: scheduled; dial the calls that are due."""
TELEPHONY_REAP = Task(
    name="telephony.reap",
    queue=Queue.TELEPHONY,
    function="control.tasks.telephony:reap",
    deadline_s=3,
    max_retries=0,
    every_s=1.0,
)
"""``()``: scheduled; see what became of dialled calls of which nothing was heard in time."""
TELEPHONY_PROBE = Task(
    name="telephony.probe",
    queue=Queue.TELEPHONY,
    function="control.tasks.targets:probe",
    deadline_s=5,
    max_retries=0,
    every_s=2.0,
)
"""``()``: scheduled; look whether the routing table's targets take calls, by what workers announce."""
TELEPHONY_REPORT = Task(
    name="telephony.report",
    queue=Queue.TELEPHONY,
    function="control.tasks.call_reports:seal",
    deadline_s=600,
    every_s=3600.0,
)
"""``()``: scheduled; write each tenant's report of the calls of a day that is over, once."""
RETENTION_ERASE = Task(
    name="retention.erase",
    queue=Queue.RETENTION,
    function="control.tasks.sweeping:go_on_erasing",
    deadline_s=10,
    max_retries=0,
    every_s=10.0,
)
"""``()``: scheduled; carry requests to erase a person as far as that is possible now."""
RETENTION_RECONCILE = Task(
    name="retention.reconcile",
    queue=Queue.RETENTION,
    function="control.tasks.sweeping:compare",
    deadline_s=300,
    max_retries=0,
    every_s=300.0,
)
"""``()``: scheduled; go on comparing store and index, and mend what differs; all of it every 6 hours at most."""
RETENTION_APPLY = Task(
    name="retention.apply",
    queue=Queue.RETENTION,
    function="control.tasks.retention:apply",
    deadline_s=86_400,
    max_retries=10,
)
"""``(session_id)``: keep or delete what a finished session left."""
WEBHOOKS_DELIVER = Task(
    name="webhooks.deliver",
    queue=Queue.WEBHOOKS,
    function="control.tasks.webhooks:deliver",
    deadline_s=30,
    max_retries=0,
)
"""``(delivery_id)``: try once to deliver a webhook; what fails is due again later."""
WEBHOOKS_SWEEP = Task(
    name="webhooks.sweep",
    queue=Queue.SESSIONS,  # where tries that hang cannot hold it up
    function="control.tasks.webhooks:sweep",
    deadline_s=3,
    max_retries=0,
    every_s=1.0,
)
"""``()``: scheduled; have the webhooks tried that are due."""

TASKS: Mapping[str, Task] = {
    task.name: task
    for task in (
        *(SESSIONS_OPEN, SESSIONS_CREATE, SESSIONS_CLOSE, SESSIONS_REPORT, SESSIONS_EXPIRE, SESSIONS_QUEUE),
        *(POST_CALL_KEEP, POST_CALL_LOST, RETENTION_SWEEP, RETENTION_SEAL, RETENTION_ERASE, RETENTION_RECONCILE),
        *(TELEPHONY_DIAL, TELEPHONY_REAP, TELEPHONY_TRANSFER),
        *(TELEPHONY_PROBE, TELEPHONY_REPORT),
        *(AGENTS_TURN, AGENTS_EVENT, AGENTS_REMEMBER, RETENTION_APPLY),
        *(WEBHOOKS_DELIVER, WEBHOOKS_SWEEP),
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
