"""Runs worker processes side by side: each in a place that is kept, all ended one after the other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from worker.settings import SupervisorSettings, new_worker_id
from worker.supervisor.child import Child
from worker.supervisor.keeper import Keeper

logger = logging.getLogger(__name__)

SETTLE_S = 1.0
"""Seconds in which other workers claim what one that ended has left, before the next is asked to end."""


class Supervisor:
    """Use ``run`` as a task, then ``stop``. ``free`` gives the lanes of a worker that is gone to the others."""

    def __init__(
        self, settings: SupervisorSettings, command: Sequence[str], free: Callable[[str], Awaitable[None]]
    ) -> None:
        self._settings, self._command, self._free = settings, list(command), free
        self._children: dict[Child, asyncio.Task[None]] = {}
        turn = asyncio.Lock()
        self._keepers = [Keeper(self._begin, turn, settings) for _ in range(settings.processes)]

    def __repr__(self) -> str:
        return f"<Supervisor {list(self._children)}>"

    @property
    def children(self) -> list[Child]:
        """Return the processes that have not ended."""
        return list(self._children)

    async def run(self) -> None:
        """Keep a child in every place until ``stop``.

        Raises:
            InvalidConfig: no worker can start with this configuration.

        """
        async with asyncio.TaskGroup() as group:
            for place, keeper in enumerate(self._keepers):
                group.create_task(keeper.run(), name=f"keeper {place}")

    def renew(self) -> None:
        """Replace every child by a fresh one, one after the other, without losing a call."""
        for keeper in self._keepers:
            keeper.renew()

    async def stop(self) -> None:
        """Once ``run`` is cancelled: drain one child after the other, so that those left can take its calls."""
        while self._children:
            child, living = next(iter(self._children.items()))
            child.drain()
            await asyncio.wait({living})
            if self._children:
                await asyncio.sleep(SETTLE_S)

    def kill(self) -> None:
        """End every child at once."""
        for child in self._children:
            child.kill()

    def _begin(self) -> Child:
        child = Child(new_worker_id(), self._command, self._free, drain_s=self._settings.drain_s)
        living = asyncio.create_task(child.live(), name=f"child {child.worker}")
        self._children[child] = living
        living.add_done_callback(lambda done: self._ended(child, done))
        return child

    def _ended(self, child: Child, living: asyncio.Task[None]) -> None:
        del self._children[child]
        if not living.cancelled() and (error := living.exception()):
            logger.error("supervision failed", exc_info=error, extra={"worker": child.worker})
