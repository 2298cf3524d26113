"""The lanes that this worker holds: their leases kept, their streams read, their checkpoints written."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from redis.asyncio import Redis
from redis.exceptions import RedisError

from voicebackend import channel
from voicebackend._background import Background
from voicebackend.keys import Keys
from voicebackend.streams import LANE_WINDOW_S, Entry, EntryId
from voicebackend.telemetry import lane_lag_seconds
from worker.lane import Lane
from worker.lanes.checkpoint_writer import CheckpointWriter
from worker.lanes.checkpoints import Checkpoints
from worker.lanes.roster import Roster
from worker.lease import Leases

logger = logging.getLogger(__name__)

FLUSH_S = 0.5
"""Seconds that the last checkpoint of a lane may take."""


class Holdings:
    """Lanes by number. One that was added is kept; one that is read is heard, too."""

    def __init__(
        self, leases: Leases, roster: Roster, store: Checkpoints, *, audio: Redis, reading: Redis, keys: Keys
    ) -> None:
        self._leases, self._roster, self._store, self._keys = leases, roster, store, keys
        self._audio, self._reader = audio, channel.Reader(reading)
        self._lanes: dict[int, Lane] = {}
        self._by_stream: dict[str, Lane] = {}
        self._writers: dict[int, asyncio.Task[None]] = {}
        self._background = Background()
        self.shaken = asyncio.Event()
        """Set when a lease was not renewed, or lapsed: ``state`` may have forgotten what happened lately."""

    @property
    def lanes(self) -> Mapping[int, Lane]:
        """Return the lanes by number."""
        return MappingProxyType(self._lanes)

    async def claim(self, number: int, *, most: int = 0, new: bool = False) -> Lane | None:
        """Lease a lane and keep it, without reading it yet; None if it is another's or has too many sessions.

        With ``new`` it may be no lane that ever was anybody's.
        """
        asked = time.monotonic()
        lease = await self._leases.claim(number, most=most, new=new)
        if lease is None:
            return None
        lane = self._lanes[number] = Lane(lease, asked)
        return lane

    async def read_from(self, lane: Lane, after: EntryId, *, known: Iterable[str] = ()) -> None:
        """Read a lane from the entry after this one, and write its checkpoint; ``known`` are the sessions in that."""
        stream = self._keys.lane(lane.number)
        start = await channel.take(self._audio, stream, after)
        if self._lanes.get(lane.number) is not lane:
            return  # lost on the way
        others = list(self._by_stream)[:1]
        self._reader.add(stream, start)
        self._by_stream[stream] = lane
        writer = CheckpointWriter(lane, self._roster, self._store, known=known, on_lost=self.lose)
        self._writers[lane.number] = self._background.start(writer.run(), name=f"checkpoint-{lane.number}")
        for other in others:
            await channel.nudge(self._audio, other)  # the reader waits for the streams that it had before

    async def read(self) -> list[tuple[Lane, list[Entry]]]:
        """Return what is new in each lane; raises Redis's errors."""
        found = await self._reader.read()
        _note_lag(found)
        return [(lane, entries) for stream, entries in found if (lane := self._by_stream.get(stream)) is not None]

    async def renew(self) -> None:
        """Renew every lease; what fails is tried again at the next time."""
        await asyncio.gather(*(self._renew(lane) for lane in list(self._lanes.values())))

    async def _renew(self, lane: Lane) -> None:
        asked = time.monotonic()
        try:
            async with lane.leasing:
                if self._lanes.get(lane.number) is not lane:
                    return
                lease = await self._leases.renew(lane.lease)
        except (RedisError, OSError) as error:
            self.shaken.set()
            lane.unanswered(asked)  # not now: who stood still meanwhile must not speak on
            logger.warning("lease not renewed", extra={"lane": lane.number, "error": type(error).__name__})
            return
        if lease is None:
            self.lose(lane)
            return
        if lease.epoch != lane.epoch:
            self.shaken.set()
            logger.warning("lease lapsed and was claimed again", extra={"lane": lane.number, "epoch": lease.epoch})
        lane.confirm(lease, asked)

    async def keep(self) -> None:
        """Keep the streams alive and short; raises Redis's errors, when each was tried: they may lie apart."""
        failed: Exception | None = None
        for number in list(self._lanes):
            stream = self._keys.lane(number)
            if stream in self._by_stream:
                try:
                    await channel.keep(self._audio, stream, self._reader, window_s=LANE_WINDOW_S)
                except (RedisError, OSError) as error:
                    failed = error
        if failed is not None:
            raise failed

    def lose(self, lane: Lane) -> None:
        """Let go of a lane that another worker holds, and of its sessions."""
        if self._lanes.get(lane.number) is not lane:
            return
        logger.error("lane lost to another worker", extra={"lane": lane.number, "epoch": lane.epoch})
        self._close(lane)
        del self._lanes[lane.number]
        self._roster.abandon(lane)

    async def hand_over(self, lane: Lane) -> None:
        """Stop a lane's sessions where they are, write that down, and let another worker claim the lane."""
        self._close(lane)
        snapshots = await self._roster.hand_over(lane)
        try:
            async with asyncio.timeout(FLUSH_S):
                await self._store.write(lane.number, lane.epoch, position=lane.position, changed=snapshots)
                await self._store.taken_over(lane.number, lane.epoch, 0)  # it went on purpose: nothing is wrong with it
        finally:
            await self.release(lane)

    async def drop(self, lane: Lane) -> None:
        """Give a lane up whose sessions are over; one that was placed in it meanwhile starts with another worker."""
        self._close(lane)
        try:
            await channel.remove(self._audio, self._keys.lane(lane.number))
        finally:
            await self.release(lane)

    async def release(self, lane: Lane) -> None:
        """Give a lane's lease up, and whatever of its sessions is here."""
        self._close(lane)
        self._roster.abandon(lane)
        async with lane.leasing:
            if self._lanes.get(lane.number) is lane:
                del self._lanes[lane.number]
            await self._leases.release(lane.lease)

    def _close(self, lane: Lane) -> None:
        """Stop reading a lane and writing its checkpoint."""
        stream = self._keys.lane(lane.number)
        if self._by_stream.pop(stream, None) is not None:
            self._reader.remove(stream)
        writer = self._writers.pop(lane.number, None)
        if writer is not None and writer is not asyncio.current_task():
            writer.cancel()

    async def aclose(self) -> None:
        """Stop what runs for lanes."""
        await self._background.aclose()


def _note_lag(found: Sequence[tuple[str, list[Entry]]]) -> None:
    """Note how old the oldest frame of each lane is; its sender's clock said when it was made."""
    for _, entries in found:
        if entries and entries[0].frames and (made_ms := entries[0].frames[0].time_ms):
            lane_lag_seconds.record(max(0.0, time.time() - made_ms / 1000))
