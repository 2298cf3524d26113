"""How often a task was begun and never came to an end: one that kills its process every time is not begun for ever.

Celery hands a task out again when the process that ran it is lost. Only such deliveries are counted, so that a task
that runs as it should costs nothing.
"""

from __future__ import annotations

import logging
from typing import Any

from redis import Redis as SyncRedis

from voicebackend._redis import redis_errors
from voicebackend.errors import VoiceBackendError
from voicebackend.keys import Keys

logger = logging.getLogger(__name__)

MAX_DELIVERIES = 3
"""Times that a task may lose its process."""
_TTL_S = 3600


def lost_its_process(redis: SyncRedis, keys: Keys, request: Any) -> int:
    """Return how often this task, as Celery gives it to its function, was begun before and never ended.

    Where Redis does not answer it is 0: rather once more than never.
    """
    if not (request.delivery_info or {}).get("redelivered"):
        return 0
    key = keys.deliveries(f"{request.id}:{request.retries}")
    try:
        with redis_errors("deliveries"):
            pipe = redis.pipeline()
            pipe.incr(key)
            pipe.expire(key, _TTL_S)
            return int(pipe.execute()[0])
    except VoiceBackendError as error:
        logger.warning("deliveries not counted", extra={"task_id": request.id, "error": type(error).__name__})
        return 0
