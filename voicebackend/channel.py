"""Both ends of the streams between processes: a Sender that bundles and a Reader that blocks on several at once.

A Sender never creates a stream: its owner does (``create``) and keeps it alive and short (``keep``), so that what
is sent to nobody leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from voicebackend._wire import Wire
from voicebackend.errors import InvalidFormat
from voicebackend.streams import (
    FIELD,
    MAX_BUNDLE,
    MAX_FRAMES,
    STREAM_TTL_S,
    Entry,
    EntryId,
    Frame,
    Kind,
    decode_bundle,
    encode_bundle,
)

logger = logging.getLogger(__name__)

FLUSH_S = 0.004
"""Seconds within which audio for the same stream shares an entry: half of it is what a busy stream adds."""
BUFFER_S = 6.0
"""Seconds of frames kept while Redis does not answer."""
MAX_PENDING = 20_000
"""Frames kept for one stream; beyond, the oldest audio goes."""
MAX_ENTRIES = 30_000
"""Entries in a stream whose owner does not trim it: about a minute at one per flush."""
_ADD_OPTIONS = (b"NOMKSTREAM", b"MAXLEN", b"~", MAX_ENTRIES, b"*")
_AUDIO = frozenset({Kind.AUDIO_IN, Kind.AUDIO_OUT, Kind.PLAY})
_PATIENT = _AUDIO | {Kind.PLAYED}
"""What comes many times a second; everything else goes at once, and what waits goes with it."""
_FRAME_OVERHEAD = 64


class Sender:
    """Writes frames to streams, everything for one stream within ``flush_s`` in one entry; at once when idle.

    ``send`` never waits. Call ``run`` as a task, and ``flush`` before the end.
    """

    def __init__(self, redis: Redis | Wire, *, flush_s: float = FLUSH_S) -> None:
        self._wire, self._flush_s = Wire.over(redis), flush_s
        self._pending: dict[str, deque[Frame]] = {}
        self._wake, self._urgent = asyncio.Event(), asyncio.Event()
        self._lock = asyncio.Lock()
        self.dropped = 0
        """Frames given up: no such stream, too many, or too old."""

    def __repr__(self) -> str:
        return f"<Sender [{sum(map(len, self._pending.values()))} pending, {self.dropped} dropped]>"

    def send(self, stream: str, frame: Frame) -> None:
        """Queue a frame."""
        queue = self._pending.setdefault(stream, deque())
        if len(queue) >= MAX_PENDING:
            self._make_room(queue)
        queue.append(frame)
        self._wake.set()
        if frame.kind not in _PATIENT:
            self._urgent.set()

    async def run(self) -> None:
        """Flush whenever there is something, until cancelled."""
        loop, last, failures = asyncio.get_running_loop(), 0.0, 0
        while True:
            await self._wake.wait()
            wait = last + self._flush_s - time.monotonic()
            if wait > 0 and not self._urgent.is_set():
                alarm = loop.call_later(wait, self._urgent.set)
                await self._urgent.wait()
                alarm.cancel()
            last = time.monotonic()
            try:
                await self._flush()
                failures = 0
            except (RedisError, OSError) as error:
                failures += 1
                logger.warning("streams: write failed", extra={"error": type(error).__name__, "failures": failures})
                self._wake.set()
                await asyncio.sleep(random.uniform(0, min(0.5, 0.02 * 2**failures)))  # noqa: S311 - jitter

    async def flush(self) -> None:
        """Write everything queued; what could not be written stays queued, in order."""
        await self._flush()
        while self._pending:
            await self._flush()

    async def _flush(self) -> None:
        """Write what is queued now; what comes meanwhile waits for the next time."""
        async with self._lock:
            self._wake.clear()
            self._urgent.clear()
            batch = [(stream, _take(queue)) for stream, queue in self._pending.items() if queue]
            try:
                if batch:
                    await self._write(batch)
            except BaseException:
                for stream, frames in batch:
                    self._pending[stream].extendleft(reversed(frames))
                    self._drop_old(stream)
                self._wake.set()
                raise
            self._pending = {stream: queue for stream, queue in self._pending.items() if queue}
            if self._pending:
                self._wake.set()

    async def _write(self, batch: list[tuple[str, list[Frame]]]) -> None:
        entries = await self._wire.execute(
            *((b"XADD", stream, *_ADD_OPTIONS, FIELD, self._encode(frames)) for stream, frames in batch)
        )
        for (stream, frames), entry in zip(batch, entries, strict=True):
            if entry is None:
                self.dropped += len(frames)
                logger.debug("streams: nobody owns the stream", extra={"stream": stream, "frames": len(frames)})

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
            self.dropped += 1
            extra = {"session_id": frame.session, "kind": frame.kind.name, "error": error.message}
            logger.error("streams: frame cannot be sent", extra=extra)  # noqa: TRY400 - a trace says nothing more
            return False
        return True

    def _drop_old(self, stream: str) -> None:
        oldest = time.time() * 1000 - BUFFER_S * 1000
        queue = self._pending[stream]
        kept = deque(frame for frame in queue if frame.kind not in _AUDIO or frame.time_ms >= oldest)
        self.dropped += len(queue) - len(kept)
        self._pending[stream] = kept

    def _make_room(self, queue: deque[Frame]) -> None:
        self.dropped += 1
        for index, frame in enumerate(queue):
            if frame.kind in _AUDIO:
                del queue[index]
                return
        queue.popleft()


def _take(queue: deque[Frame]) -> list[Frame]:
    """Take as many frames from the queue's head as fit in one bundle."""
    frames: list[Frame] = []
    size = 0
    while queue and len(frames) < MAX_FRAMES:
        size += len(queue[0].payload) + _FRAME_OVERHEAD
        if size > MAX_BUNDLE and frames:
            break
        frames.append(queue.popleft())
    return frames


class Reader:
    """Reads streams from where it stands, in one blocking call over all of them.

    The Redis client must have no socket timeout. Entries that do not decode are counted and left out.
    """

    def __init__(self, redis: Redis) -> None:
        self._wire = Wire(redis)
        self._last: dict[str, bytes] = {}
        self.corrupt = 0
        """Entries that were no valid bundle."""

    @property
    def streams(self) -> dict[str, bytes]:
        """The id of the last entry read from each stream."""
        return dict(self._last)

    def add(self, stream: str, after: bytes) -> None:
        """Read this stream too, from the entry after ``after``."""
        self._last[stream] = after

    def remove(self, stream: str) -> None:
        """Stop reading this stream."""
        self._last.pop(stream, None)

    async def read(self, *, block_ms: int = 1000, count: int = 256) -> list[tuple[str, list[Entry]]]:
        """Return new entries by stream, in order; empty after ``block_ms`` without any."""
        if not self._last:
            await asyncio.sleep(block_ms / 1000)
            return []
        (reply,) = await self._wire.execute(
            (b"XREAD", b"COUNT", count, b"BLOCK", block_ms, b"STREAMS", *self._last, *self._last.values())
        )
        found: list[tuple[str, list[Entry]]] = []
        for raw_name, entries in reply or ():
            name = raw_name.decode()
            if name not in self._last or not entries:
                continue
            self._last[name] = entries[-1][0]
            found.append((name, [Entry(EntryId.parse(raw), self._decode(fields)) for raw, fields in entries]))
        return found

    async def frames(self, *, block_ms: int = 1000) -> list[Frame]:
        """Return new frames of all streams, as ``read``, for who does not mind where they stood."""
        batches = await self.read(block_ms=block_ms)
        return [frame for _, entries in batches for entry in entries for frame in entry.frames]

    def _decode(self, fields: list[bytes]) -> list[Frame]:
        if fields[0] != FIELD:
            return []
        try:
            return decode_bundle(fields[1])
        except InvalidFormat as error:
            self.corrupt += 1
            logger.warning("streams: entry skipped", extra={"error": error.message})
            return []


async def create(redis: Redis, stream: str) -> bytes:
    """Create the stream if need be, let it expire without care, and return the id after which to read."""
    entry: Any = await redis.xadd(stream, {FIELD: encode_bundle(())})
    await redis.expire(stream, STREAM_TTL_S)
    return bytes(entry)


async def keep(redis: Redis, stream: str, reader: Reader, *, window_s: float) -> None:
    """Keep an owned stream alive and trim what is older than the window, by Redis's own clock.

    A stream that Redis lost (restarted without persistence, or its owner slept too long) is made anew and read on.
    """
    now_s, micros = await redis.time()
    pipe = redis.pipeline(transaction=False)
    pipe.xtrim(stream, minid=max(0, now_s * 1000 + micros // 1000 - round(window_s * 1000)), approximate=True)
    pipe.expire(stream, STREAM_TTL_S)
    _, alive = await pipe.execute()
    if not alive:
        logger.warning("streams: made anew", extra={"stream": stream})
        reader.add(stream, await create(redis, stream))


async def remove(redis: Redis, stream: str) -> None:
    """Delete a stream that has ended."""
    await redis.delete(stream)
