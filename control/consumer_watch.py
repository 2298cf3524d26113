"""Notices a Celery worker that has stopped taking tasks, and ends it so that whoever runs it starts it again.

After a connection to the broker was reset, a consumer may come to wait for what never comes, while its process looks
alive and answers pings. Progress tells: tasks wait, threads or children are free, and nothing is taken.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import redis as sync_redis
from celery.worker import state as celery_state
from redis.exceptions import RedisError

from voicebackend._redis import HOT_TIMEOUT_S, connect_sync
from voicebackend.tasks import RESTART
from voicebackend.telemetry import consumers_stalled

logger = logging.getLogger(__name__)

LOOK_S = 1.0
"""Seconds between looks."""
STALL_S = 5.0
"""Seconds for which tasks may wait without one being taken by a worker that is free."""
GRACE_S = 15.0
"""Seconds that an orderly end may take."""


def end_process() -> None:
    """Have this worker finish what it runs and end with RESTART; should that hang, end it all the same."""
    celery_state.should_stop = RESTART
    hurry = threading.Timer(GRACE_S, os._exit, (RESTART,))
    hurry.daemon = True
    hurry.start()


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What is seen at one moment."""

    waiting: bool
    """Tasks lie in a queue that this worker takes from."""
    free: bool
    """It has room for one more."""
    taken: int
    """Tasks that it has taken since it started."""


class Progress:
    """Decides from looks whether a consumer has stopped. Pure: ``now`` is in seconds."""

    def __init__(self) -> None:
        self._stuck: tuple[float, int] | None = None

    def stalled(self, look: Look | None, now: float) -> bool:
        """Tell whether nothing was taken for STALL_S though it could be; None: the broker does not answer."""
        if look is None or not (look.waiting and look.free):
            self._stuck = None
        elif self._stuck is None or self._stuck[1] != look.taken:
            self._stuck = (now, look.taken)
        return self._stuck is not None and now - self._stuck[0] >= STALL_S


class ConsumerWatch:
    """Looks after one Celery worker, from a thread of its main process."""

    def __init__(
        self, broker_url: str, queues: Sequence[str], slots: int, *, end: Callable[[], None] = end_process
    ) -> None:
        self._redis: sync_redis.Redis = connect_sync(broker_url, timeout_s=HOT_TIMEOUT_S, max_connections=1)
        self._queues, self._slots, self._end = queues, slots, end
        self._thread = threading.Thread(target=self._run, name="consumer watch", daemon=True)

    def start(self) -> None:
        """Look until the process ends."""
        self._thread.start()

    def _run(self) -> None:
        progress = Progress()
        while True:
            time.sleep(LOOK_S)
            if progress.stalled(self._look(), time.monotonic()):
                consumers_stalled.add(1)
                logger.error(
                    "consumer takes no tasks: process ends to be started again", extra={"queues": self._queues}
                )
                self._end()
                return

    def _look(self) -> Look | None:
        try:
            waiting = any(self._redis.llen(queue) for queue in self._queues)
        except (RedisError, OSError):
            return None
        return Look(
            waiting=waiting,
            free=len(celery_state.reserved_requests) < self._slots,
            taken=sum(celery_state.total_count.values()),
        )
