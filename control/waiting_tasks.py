"""How many tasks wait: of each queue, those that no Celery worker has taken yet."""

from __future__ import annotations

from voicebackend._redis import STATE_TIMEOUT_S, connect, redis_errors
from voicebackend.settings import Deployment
from voicebackend.tasks import Queue


async def waiting_tasks(deployment: Deployment) -> dict[Queue, int]:
    """Return the length of each queue, over a connection of its own: the broker is asked for this once in a while.

    Raises:
        ConnectionFailed, ConnectionTimeout: the broker does not answer.

    """
    with redis_errors("queues"):
        async with connect(deployment.broker_url, timeout_s=STATE_TIMEOUT_S, max_connections=1) as broker:
            pipe = broker.pipeline(transaction=False)
            for queue in Queue:
                pipe.llen(f"{deployment.prefix}:{queue.value}")
            return dict(zip(Queue, await pipe.execute(), strict=True))
