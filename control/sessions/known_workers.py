"""The workers of the last moment, read once for everybody who asks at the same time."""

from __future__ import annotations

import asyncio
import time

from redis.asyncio import Redis

from control.sessions.workers import WorkerInfo, announced_workers
from voicebackend.keys import Keys

FRESH_S = 0.1
"""Seconds that a reading is good for: a quarter of the time between a worker's announcements."""


class KnownWorkers:
    """What workers announce; ``redis`` is the ``state`` role."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis, self._keys = redis, keys
        self._reading = asyncio.Lock()
        self._found: list[WorkerInfo] = []
        self._read_at = -FRESH_S

    async def now(self) -> list[WorkerInfo]:
        """Return the workers that are there, as of at most 0.1 s ago; raises ConnectionFailed or ConnectionTimeout."""
        async with self._reading:
            if time.monotonic() - self._read_at >= FRESH_S:
                self._found = await announced_workers(self._redis, self._keys)
                self._read_at = time.monotonic()
            return self._found
