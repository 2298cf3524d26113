"""Keeps one lane's checkpoint as new as a successor needs it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable

from redis.exceptions import RedisError

from voicebackend.streams import EntryId
from voicebackend.telemetry import checkpoints_failed
from worker.lane import Lane
from worker.lanes.checkpoints import Checkpoints
from worker.lanes.roster import Roster

logger = logging.getLogger(__name__)

POSITION_S = 0.25
"""Seconds between writes of how far the lane was read, while it is read."""
COALESCE_S = 0.05
"""Seconds within which what sessions want written goes together."""
SESSIONS_S = 1.0
"""Seconds between looks at every session."""
ALIVE_S = 60.0
"""Seconds between writes while nothing changes, so that the checkpoint does not expire."""
PROGRESS_S = 3.0
"""Seconds that a lane must run with all its sessions: then its takeover led somewhere. What brings a worker down that
hears it again does so at once; whoever dies of something else in this time costs callers what they had begun to say."""


class CheckpointWriter:
    """``run`` writes until cancelled, or until another worker holds the lane: then it calls ``on_lost``."""

    def __init__(
        self, lane: Lane, roster: Roster, store: Checkpoints, *, known: Iterable[str], on_lost: Callable[[Lane], None]
    ) -> None:
        self._lane, self._roster, self._store, self._on_lost = lane, roster, store, on_lost
        self._known = set(known)
        self._unwritten: dict[str, bytes] = {}
        self._promised: list[asyncio.Event] = []
        """Those who wait for what was looked at to be written."""
        self._position = EntryId()
        self._looked_at = self._written_at = float("-inf")
        self._led_somewhere = False
        self._failing = False

    async def run(self) -> None:
        """Write whenever it is due."""
        while True:
            try:
                async with asyncio.timeout(POSITION_S):
                    await self._lane.wanted.wait()
                await asyncio.sleep(COALESCE_S)
            except TimeoutError:
                pass
            if not await self.write():
                self._on_lost(self._lane)
                return

    async def write(self) -> bool:
        """Write what changed; False if another worker holds the lane."""
        now = time.monotonic()
        self._look(now)
        gone = self._known - self._roster.ids_of(self._lane)
        position = self._lane.position
        if not (self._unwritten or gone or position != self._position or now - self._written_at > ALIVE_S):
            self._keep_promises()
            return True
        changed = dict(self._unwritten)
        try:
            held = await self._put(now, position, changed, gone)
        except (RedisError, OSError) as error:
            self._failed(error)
            return True
        self._failing = False
        self._unwritten = {name: raw for name, raw in self._unwritten.items() if changed.get(name) is not raw}
        self._known = (self._known | changed.keys()) - gone
        self._position, self._written_at = position, now
        self._keep_promises()
        return held

    def _look(self, now: float) -> None:
        """Ask sessions for what changed: those that want that, or all of them when it is time."""
        is_time = now - self._looked_at >= SESSIONS_S
        if not self._lane.wanted.is_set() and not is_time:
            return
        wanting, self._lane.wanting = self._lane.wanting, set()
        self._lane.wanted.clear()
        self._promised.append(self._lane.written)
        self._lane.written = asyncio.Event()
        self._looked_at = now if is_time else self._looked_at
        for session, runner in self._roster.of(self._lane).items():
            if (is_time or session in wanting) and (snapshot := runner.checkpoint()) is not None:
                self._unwritten[session] = snapshot

    async def _put(self, now: float, position: EntryId, changed: dict[str, bytes], gone: set[str]) -> bool:
        lane, epoch = self._lane.number, self._lane.epoch
        restored_at = self._lane.restored_at
        if not self._led_somewhere and restored_at is not None and now - restored_at >= PROGRESS_S:
            self._led_somewhere = await self._store.taken_over(lane, epoch, 0)
        return await self._store.write(lane, epoch, position=position, changed=changed, gone=gone)

    def _keep_promises(self) -> None:
        for written in self._promised:
            written.set()
        self._promised.clear()

    def _failed(self, error: Exception) -> None:
        """Count it, and say so once: the calls go on, and a takeover would start from an older checkpoint."""
        checkpoints_failed.add(1)
        if not self._failing:
            logger.warning("checkpoint not written", extra={"lane": self._lane.number, "error": type(error).__name__})
        self._failing = True
