"""Celery beat with a standby: any number may run, and only the one that holds the lock in Redis sends what is due."""

from __future__ import annotations

from typing import Any

from celery.beat import Scheduler

from control.leader import Leadership
from voicebackend._redis import connect_sync
from voicebackend.settings import Deployment


class LeaderScheduler(Scheduler):  # type: ignore[misc]  # Celery has no types
    """Keeps the schedule in memory, so that no file is left behind, and ticks only while it leads.

    What was due while nobody led is sent once, not as often as it was missed.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        deployment = Deployment.from_env()
        self._redis = connect_sync(deployment.state_url, max_connections=2)
        self._leadership = Leadership(self._redis, deployment.keys.leader("beat"))
        super().__init__(*args, **options)

    def tick(self, *args: Any, **options: Any) -> float:
        """Send what is due, if this process leads, and return the seconds until the next look."""
        if not self._leadership.renew():
            return float(self.max_interval)
        return float(super().tick(*args, **options))

    def close(self) -> None:
        """Let another lead at once."""
        super().close()
        self._leadership.resign()
        self._redis.close()
