"""The Celery app: every task by name, its queue, and how often beat publishes it."""

from __future__ import annotations

from control.celery import make_app
from voicebackend.settings import Deployment
from voicebackend.tasks import TASKS, Queue


def test_the_app_knows_every_task_its_queue_and_nothing_but_json(deployment: Deployment) -> None:
    """Names come from the contracts."""
    app = make_app(deployment)
    assert set(TASKS) <= set(app.tasks)
    assert {queue.name for queue in app.conf.task_queues} == set(Queue)
    assert {name: route["queue"] for name, route in app.conf.task_routes.items()} == {
        name: task.queue.value for name, task in TASKS.items()
    }
    assert app.conf.accept_content == ["json"]
    assert {name: entry["schedule"] for name, entry in app.conf.beat_schedule.items()} == {
        "sessions.expire": 5,
        "sessions.queue": 1,
        "post_call.lost": 60,
        "retention.sweep": 10,
        "retention.erase": 10,
        "retention.seal": 3600,
        "retention.reconcile": 300,
        "telephony.dial": 1,
        "telephony.reap": 1,
        "telephony.probe": 2,
        "telephony.report": 3600,
        "webhooks.sweep": 1,
    }
