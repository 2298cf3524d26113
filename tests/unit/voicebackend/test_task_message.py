"""Our message of a task beside Celery's own: a worker cannot tell them apart."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

from celery import Celery
from kombu.entity import Queue as KombuQueue
from redis.asyncio import Redis

from voicebackend.publisher import TRACE_HEADER, CeleryPublisher
from voicebackend.settings import Deployment
from voicebackend.tasks import AGENTS_TURN, Queue, celery_settings

ARGUMENTS = {"session_id": "0f" * 16, "turn": 3, "attempt": 1}
KEY = f"vb:{Queue.AGENTS.value}"
NEW_EACH_TIME = {"id", "root_id", "correlation_id", "delivery_tag", "origin", "expires"}
FOR_OTHER_BROKERS = {"expiration", "reply_to"}
"""A message's own time to live, and where results go: we want none."""


def send_by_celery(url: str) -> None:
    """Let Celery publish the task."""
    app = Celery("celery", set_as_current=False)
    app.conf.update(celery_settings(url, key_prefix="vb:"))
    app.conf.task_queues = [KombuQueue(queue.value) for queue in Queue]
    app.send_task(
        AGENTS_TURN.name,
        kwargs=ARGUMENTS,
        queue=Queue.AGENTS.value,
        headers={TRACE_HEADER: ""},
        expires=AGENTS_TURN.deadline_s,
        ignore_result=True,
    )
    app.close()


def lasting(found: Any) -> Any:
    """Return a message's fields without those that differ from one message to the next."""
    if not isinstance(found, dict):
        return found
    passing = NEW_EACH_TIME | FOR_OTHER_BROKERS
    return {name: lasting(value) for name, value in found.items() if name not in passing}


async def test_a_worker_cannot_tell_our_message_from_celerys(redis: Redis, redis_url: str) -> None:
    """If a release of Celery changes its messages, this fails before a caller waits in vain."""
    publisher = CeleryPublisher(Deployment().with_redis(redis_url))
    await publisher.publish(AGENTS_TURN, **ARGUMENTS)
    await publisher.aclose()
    await asyncio.to_thread(send_by_celery, redis_url)
    theirs, ours = (json.loads(raw) for raw in await redis.lrange(KEY, 0, -1))
    await redis.delete(KEY)
    assert lasting(ours) == lasting(theirs)
    assert json.loads(base64.b64decode(ours["body"])) == json.loads(base64.b64decode(theirs["body"]))
    assert ours["headers"]["id"] == ours["properties"]["correlation_id"] == ours["headers"]["root_id"]
    assert ours["headers"]["expires"][:16] == theirs["headers"]["expires"][:16]
