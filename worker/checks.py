"""Checks of providers that telephone calls go to: whether their vendors answer, tried by the workers that have them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from voicebackend.interfaces import Engine
from voicebackend.keys import Keys
from voicebackend.tracing import error_code

logger = logging.getLogger(__name__)

OPEN_S = 20.0
"""Seconds that a provider has to open, the first time."""
CHECK_S = 2.0
"""Seconds that a check has."""
LOOK_S = 1.0
"""Seconds between two looks at what is to be checked; one that failed is checked again as soon."""
MANY = 100
"""As far as checks in a row are counted."""


class ProviderChecks:
    """Checks what the scheduler asks for; ``open_`` returns a provider by name, opened, as a session of it would."""

    def __init__(self, state: Redis, keys: Keys, open_: Callable[[str], Awaitable[Engine]]) -> None:
        self._state, self._key, self._open = state, keys.checked_providers(), open_
        self._due: dict[str, float] = {}
        self.results: dict[str, int] = {}
        """By provider: checks in a row that went well, below 0 that failed."""

    async def run(self, providers: frozenset[str]) -> None:
        """Check those of these providers that are asked for, until cancelled."""
        while True:
            try:
                await self._look(providers)
            except (RedisError, OSError) as error:
                logger.warning("checks not read", extra={"error": type(error).__name__})
            await asyncio.sleep(LOOK_S)

    async def _look(self, providers: frozenset[str]) -> None:
        wanted: Any = await cast("Any", self._state.hgetall(self._key))
        every = {name.decode(): float(seconds) for name, seconds in wanted.items() if name.decode() in providers}
        for name in self.results.keys() - every.keys():
            del self.results[name]
        now = asyncio.get_running_loop().time()
        due = [name for name in every if now >= self._due.get(name, now)]
        async with asyncio.TaskGroup() as group:
            for name in due:
                group.create_task(self._try(name), name=f"check of {name}")
        for name in due:
            self._due[name] = now + (every[name] if self.results[name] > 0 else LOOK_S)

    async def _try(self, name: str) -> None:
        before = self.results.get(name, 0)
        try:
            async with asyncio.timeout(OPEN_S):
                engine = await self._open(name)
            async with asyncio.timeout(CHECK_S):
                await engine.check()
        except Exception as error:  # noqa: BLE001 - whatever a provider does, the worker goes on
            self.results[name] = max(min(before, 0) - 1, -MANY)
            if before >= 0:
                logger.warning("check failed", extra={"provider": name, "error_code": error_code(error)})
        else:
            self.results[name] = min(max(before, 0) + 1, MANY)
            if before < 0:
                logger.info("check goes well again", extra={"provider": name})
