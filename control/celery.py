"""The Celery app: ``celery -A control worker -Q …`` and ``celery -A control beat``."""

from __future__ import annotations

from typing import Any

from celery import Celery
from kombu.entity import Queue as KombuQueue

from control import celery_process
from control.celery_connection import PromptAMQP
from control.tasks.wrapper import GaveUp, body_of
from voicebackend.settings import Deployment
from voicebackend.tasks import AGENTS_TURN, SCHEDULED, TASKS, Queue, Task, celery_settings

AGENT_LIMIT_S = 330
"""Seconds for an agent's turn in a prefork child: more than the longest ``timeout``, which ends it first."""


def make_app(deployment: Deployment) -> Any:
    """Return the Celery app of a deployment, with every task."""
    app = Celery("voicebackend", set_as_current=False, amqp=PromptAMQP)
    app.conf.update(celery_settings(deployment.broker_url, key_prefix=f"{deployment.prefix}:"))
    app.conf.update(
        task_queues=[KombuQueue(queue.value) for queue in Queue],  # type: ignore[no-untyped-call]
        task_routes={task.name: {"queue": task.queue.value} for task in TASKS.values()},
        beat_schedule={task.name: _every(task) for task in SCHEDULED},
        beat_scheduler="control.beat:LeaderScheduler",
        beat_max_loop_interval=1,
        worker_consumer="control.task_consumer:TaskConsumer",
    )
    for task in TASKS.values():
        app.task(name=task.name, bind=True, shared=False, throws=(GaveUp,), **_limits(task))(body_of(task))
    return app


def _every(task: Task) -> dict[str, Any]:
    options = {"queue": task.queue.value, "expires": task.deadline_s, "ignore_result": True}
    return {"task": task.name, "schedule": task.every_s, "options": options}


def _limits(task: Task) -> dict[str, Any]:
    return {"time_limit": AGENT_LIMIT_S, "soft_time_limit": AGENT_LIMIT_S - 15} if task is AGENTS_TURN else {}


app = make_app(Deployment.from_env())
celery_process.follow()
