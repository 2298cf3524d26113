"""Both ends of the streams between processes: a Sender that bundles and a Reader that blocks on several at once.

A Sender never creates a stream: its owner does (``create``) and keeps it alive and short (``keep``), so that what
is sent to nobody leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable
from typing import cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from voicebackend._wire import Wire
from voicebackend.backlog import AUDIO, MAX_STUCK_S, Backlog
from voicebackend.errors import InvalidFormat
from voicebackend.reader import Reader
from voicebackend.streams import FIELD, STREAM_TTL_S, EntryId, Frame, Kind, encode_bundle
from voicebackend.telemetry import frames_dropped

__all__ = ["Reader", "Sender", "create", "keep", "nudge", "remove", "take"]

logger = logging.getLogger(__name__)

FLUSH_S = 0.004
"""Seconds within which audio for the same stream shares an entry: half of it is what a busy stream adds."""
MAX_ENTRIES = 30_000
"""Entries in a stream whose owner does not trim it: about a minute at one per flush."""
_ADD_OPTIONS = (b"NOMKSTREAM", b"MAXLEN", b"~", MAX_ENTRIES, b"*")
_PATIENT = AUDIO | {Kind.PLAYED}
"""What comes many times a second; everything else goes at once, and what waits goes with it."""
RETRY_S = 0.1
"""Seconds after which a stream is tried again that was not there."""
_LOG_S = 5.0
"""Seconds between two lines in the log about the same trouble."""
_CREATE = """
local entry = redis.call('XADD', KEYS[1], '*', ARGV[1], ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return entry
"""
"""In one step: a stream must not be left without an end."""
_KEEP = """
local now = redis.call('TIME')
local oldest = now[1] * 1000 + math.floor(now[2] / 1000) - ARGV[1]
local first = string.format('%.0f', math.max(0, oldest))
if oldest > tonumber(ARGV[3]) then first = ARGV[4] end
redis.call('XTRIM', KEYS[1], 'MINID', first)
return redis.call('EXPIRE', KEYS[1], ARGV[2])
"""


class Sender:
    """Writes frames to streams, everything for one stream within ``flush_s`` in one entry; at once when idle.

    What cannot be written waits, within the bounds of its ``Backlog``: until Redis answers, or until the stream's
    owner has made it anew. ``send`` never waits. Call ``run`` as a task, and ``flush`` before the end.
    """

    def __init__(self, redis: Redis | Wire, *, flush_s: float = FLUSH_S) -> None:
        self._wire, self._flush_s = Wire.over(redis), flush_s
        self._pending: dict[str, Backlog] = {}
        self._wake, self._urgent = asyncio.Event(), asyncio.Event()
        self._lock = asyncio.Lock()
        self._again: asyncio.TimerHandle | None = None
        self._tries_stuck = False
        self._dropped = 0

    def __repr__(self) -> str:
        return f"<Sender [{sum(map(len, self._pending.values()))} pending, {self.dropped} dropped]>"

    @property
    def dropped(self) -> int:
        """Frames given up: no such stream, too many, or not to be encoded."""
        return self._dropped + sum(backlog.dropped for backlog in self._pending.values())

    def send(self, stream: str, frame: Frame) -> None:
        """Queue a frame."""
        backlog = self._pending.get(stream)
        if backlog is None:
            backlog = self._pending[stream] = Backlog()
        backlog.push(frame)
        self._wake.set()
        if frame.kind not in _PATIENT:
            self._urgent.set()

    async def run(self) -> None:
        """Flush whenever there is something, until cancelled."""
        loop, last, failures, logged = asyncio.get_running_loop(), 0.0, 0, float("-inf")
        while True:
            await self._wake.wait()
            wait = last + self._flush_s - time.monotonic()
            if wait > 0 and not self._urgent.is_set():
                alarm = loop.call_later(wait, self._urgent.set)
                await self._urgent.wait()
                alarm.cancel()
            last = time.monotonic()
            try:
                await self._flush(stuck=self._tries_stuck)
                failures = 0
            except (RedisError, OSError) as error:
                failures += 1
                if time.monotonic() - logged >= _LOG_S:
                    logged = time.monotonic()
                    logger.warning("streams: write failed", extra={"error": type(error).__name__, "failures": failures})
                self._try_stuck()
                await asyncio.sleep(random.uniform(0, min(0.5, 0.02 * 2**failures)))  # noqa: S311 - jitter

    async def flush(self, *, patience_s: float = 0.0) -> None:
        """Write everything queued, and give up what is for a stream that is not there within these seconds.

        Raises:
            redis.exceptions.RedisError, OSError: not all could be written; that stays queued, in order.

        """
        until = time.monotonic() + patience_s
        await self._flush(stuck=True)
        while self._pending:
            if all(backlog.is_stuck for backlog in self._pending.values()):
                if time.monotonic() >= until:
                    self._give_up(after_s=0.0)
                    return
                await asyncio.sleep(RETRY_S)
            await self._flush(stuck=True)

    async def _flush(self, *, stuck: bool) -> None:
        """Write what is queued now, to streams that were not there too or not; what comes meanwhile waits."""
        async with self._lock:
            self._wake.clear()
            self._urgent.clear()
            self._tries_stuck = False
            batch = {
                stream: backlog.take()
                for stream, backlog in self._pending.items()
                if backlog and (stuck or not backlog.is_stuck)
            }
            try:
                if batch:
                    await self._write(batch)
            finally:
                for stream, frames in batch.items():
                    self._pending[stream].put_back(frames, time.monotonic())
                self._tidy()

    async def _write(self, batch: dict[str, list[Frame]]) -> None:
        """Write a bundle to each stream, and leave in the batch what could not be written."""
        replies = await self._wire.replies(
            *((b"XADD", stream, *_ADD_OPTIONS, FIELD, self._encode(frames)) for stream, frames in batch.items())
        )
        failed: Exception | None = None
        for (stream, frames), reply in zip(list(batch.items()), replies, strict=True):
            if isinstance(reply, Exception):
                failed = reply
            elif reply is not None:
                del batch[stream]
                self._pending[stream].wrote()
            elif not self._pending[stream].is_stuck:
                logger.info("streams: nobody owns the stream", extra={"stream": stream, "frames": len(frames)})
        if failed is not None and len(batch) == len(replies):  # else some node answers: the rest waits its turn
            raise failed

    def _tidy(self) -> None:
        """Let go of what is done or hopeless, and see to it that the rest is tried again."""
        self._give_up(after_s=MAX_STUCK_S)
        self._pending = {stream: backlog for stream, backlog in self._pending.items() if backlog}
        if not all(backlog.is_stuck for backlog in self._pending.values()):
            self._wake.set()
        elif self._pending and self._again is None:
            self._again = asyncio.get_running_loop().call_later(RETRY_S, self._try_stuck)

    def _try_stuck(self) -> None:
        self._again, self._tries_stuck = None, True
        self._wake.set()

    def _give_up(self, *, after_s: float) -> None:
        now = time.monotonic()
        for backlog in self._pending.values():
            backlog.give_up(now, after_s=after_s)
            if backlog.dropped:
                self._drop(backlog.dropped)
                backlog.dropped = 0

    def _drop(self, count: int) -> None:
        self._dropped += count
        frames_dropped.add(count, {"where": "stream"})

    def _encode(self, frames: list[Frame]) -> bytes:
        """Encode what can be encoded: one frame out of bounds must not hold up those of other sessions."""
        try:
            return encode_bundle(frames)
        except InvalidFormat:
            good = [frame for frame in frames if self._fits(frame)]
            return encode_bundle(good)

    def _fits(self, frame: Frame) -> bool:
        try:
            encode_bundle([frame])
        except InvalidFormat as error:
            self._drop(1)
            extra = {"session_id": frame.session, "kind": frame.kind.name, "error": error.message}
            logger.error("streams: frame cannot be sent", extra=extra)  # noqa: TRY400 - a trace says nothing more
            return False
        return True


async def create(redis: Redis, stream: str) -> bytes:
    """Create the stream if need be, let it expire without care, and return the id after which to read."""
    told = (FIELD, encode_bundle(()), str(STREAM_TTL_S))
    return bytes(await cast("Awaitable[bytes]", redis.eval(_CREATE, 1, stream, *told)))


async def take(redis: Redis, stream: str, after: EntryId) -> bytes:
    """Become the owner of a stream that had another, and return after which id to read: ``after`` if it lives."""
    if await redis.expire(stream, STREAM_TTL_S):
        return str(after).encode()
    return await create(redis, stream)


async def nudge(redis: Redis, stream: str) -> None:
    """Let a reader that waits for one stream look at those that it was given since."""
    await redis.xadd(stream, {FIELD: encode_bundle(())}, nomkstream=True)


async def keep(redis: Redis, stream: str, reader: Reader, *, window_s: float) -> None:
    """Keep an owned stream alive and trim what is older than the window, by Redis's own clock.

    What the owner has not read stays: it may have been held up for longer. What it has read and is older goes, every
    entry of it, for it may be what somebody said. A stream that Redis lost (restarted without persistence, or its owner
    slept too long) is made anew and read on.
    """
    read = reader.streams.get(stream)
    last = EntryId.parse(read) if read else EntryId()
    told = (str(round(window_s * 1000)), str(STREAM_TTL_S), str(last.ms), f"{last.ms}-{last.seq + 1}")
    if not await cast("Awaitable[int]", redis.eval(_KEEP, 1, stream, *told)):
        logger.warning("streams: made anew", extra={"stream": stream})
        reader.add(stream, await create(redis, stream))


async def remove(redis: Redis, stream: str) -> None:
    """Delete a stream that has ended."""
    await redis.delete(stream)
