"""A task as Celery's Redis transport keeps it in a queue: what a Celery worker takes from there and understands."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Mapping
from typing import Any

from voicebackend.tasks import Task

PERSISTENT = 2
"""The delivery mode that Celery asks for by default."""


def encode(app: Any, task: Task, arguments: Mapping[str, Any], headers: Mapping[str, str]) -> bytes:
    """Return a new message for a task; ``app`` is the Celery app that makes it, ``arguments`` are JSON."""
    task_id = str(uuid.uuid4())
    made = app.amqp.as_task_v2(task_id, task.name, kwargs=dict(arguments), expires=task.deadline_s, ignore_result=True)
    message = {
        "body": base64.b64encode(json.dumps(made.body).encode()).decode(),
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {**made.headers, **headers},
        "properties": {
            **made.properties,
            "delivery_mode": PERSISTENT,
            "delivery_info": {"exchange": "", "routing_key": task.queue.value},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": str(uuid.uuid4()),
        },
    }
    return json.dumps(message).encode()
