"""Keeps one child serving: starts it again when it died, and replaces it when it is worn."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable

from voicebackend.errors import InvalidConfig
from voicebackend.telemetry import workers_replaced
from worker.settings import SupervisorSettings
from worker.supervisor.backoff import Backoff
from worker.supervisor.child import Child
from worker.supervisor.wear import worn

logger = logging.getLogger(__name__)

LOOK_S = 0.5
"""Seconds between looks at how worn a child is."""


class Keeper:
    """One place in which a child serves. ``begin`` gives a child that is being run; ``turn`` is held to replace one."""

    def __init__(self, begin: Callable[[], Child], turn: asyncio.Lock, settings: SupervisorSettings) -> None:
        self._begin, self._turn, self._settings = begin, turn, settings
        self._backoff = Backoff()
        self._served = False
        self._renew = False

    def renew(self) -> None:
        """Replace the child by a fresh one soon, as if it were worn."""
        self._renew = True

    async def run(self) -> None:
        """Keep a child serving until cancelled.

        Raises:
            InvalidConfig: the first child said that it cannot start with this configuration.

        """
        child = self._begin()
        while True:
            why = await self._until_worn(child)
            if why is not None:
                logger.info("worker process is replaced", extra={"worker": child.worker, "why": why})
                child = await self._replace(child, why)
                continue
            if child.hopeless and not self._served:
                raise InvalidConfig("supervisor", "no worker can start with this configuration: why stands above")
            workers_replaced.add(1, {"why": "died"})
            await self._wait(child)
            child = self._begin()

    async def _until_worn(self, child: Child) -> str | None:
        """Return why the child should be replaced, None if it has ended."""
        while not await _happens(child.ended, LOOK_S):
            if child.pulse is None or child.at_ready is None:
                continue
            self._served = True
            why = "asked" if self._renew else worn(child.pulse, child.at_ready, self._settings)
            if why is not None:
                return why
        self._served |= child.ready.is_set()
        return None

    async def _replace(self, old: Child, why: str) -> Child:
        """Start a fresh child, then let the old one hand its sessions over; return the one that serves now."""
        async with self._turn:
            fresh = self._begin()
            if await _first(fresh.ready, fresh.ended) is fresh.ended:
                await self._wait(fresh)
                return old
            self._renew = False
            workers_replaced.add(1, {"why": why})
            old.drain()
            await _first(old.ended, fresh.ended)
            return fresh

    async def _wait(self, dead: Child) -> None:
        """Wait before the next try: longer each time, unless the dead one lived long."""
        self._backoff = self._backoff.after(dead.lived_s)
        delay = self._backoff.delay_s(random.random())  # noqa: S311 - jitter
        logger.warning("worker process is started again", extra={"after_s": round(delay, 2), "worker": dead.worker})
        await asyncio.sleep(delay)


async def _happens(event: asyncio.Event, timeout_s: float) -> bool:
    try:
        async with asyncio.timeout(timeout_s):
            return await event.wait()
    except TimeoutError:
        return False


async def _first(*events: asyncio.Event) -> asyncio.Event:
    """Return the one of these that is set first, the first named if several are."""
    tasks = [asyncio.create_task(event.wait(), name="event") for event in events]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return next(event for event in events if event.is_set())
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
