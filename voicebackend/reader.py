"""The reading end of the streams between processes: several at once, each from where it stands."""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import suppress
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

from voicebackend._line import Line
from voicebackend._wire import Wire
from voicebackend.errors import InvalidFormat
from voicebackend.streams import FIELD, Entry, EntryId, Frame, decode_bundle

logger = logging.getLogger(__name__)

_NODE_RETRY_S = 0.3
"""At most so many seconds until a node that failed is asked again."""


class Reader:
    """Reads streams in one blocking call over all of them; in a Cluster, which refuses that, in one call for each.

    The Redis client must have no socket timeout. Entries that do not decode are counted and left out.
    """

    def __init__(self, redis: Redis) -> None:
        self._wire = Wire(redis)
        self._last: dict[str, bytes] = {}
        self._asked: dict[Line, asyncio.Task[Any]] = {}
        """What a Cluster is still asked, from one ``read`` to the next."""
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
        """Return new entries by stream, in order; empty after ``block_ms`` without any.

        Raises:
            redis.exceptions.RedisError, OSError: Redis is not there, or does not answer in time; nothing is skipped.

        """
        if not self._last:
            await asyncio.sleep(block_ms / 1000)
            return []
        parts = await self._wire.apart(list(self._last))
        if len(parts) == 1 and not self._asked:
            return await self._read_together(*parts[0], block_ms, count)
        return [batch for reply in await self._first_of(parts, block_ms, count) for batch in self._found(reply)]

    async def frames(self, *, block_ms: int = 1000) -> list[Frame]:
        """Return new frames of all streams, as ``read``, for who does not mind where they stood."""
        batches = await self.read(block_ms=block_ms)
        return [frame for _, entries in batches for entry in entries for frame in entry.frames]

    async def _read_together(
        self, line: Line, streams: list[str], block_ms: int, count: int
    ) -> list[tuple[str, list[Entry]]]:
        """Read one server's streams, and once more those that had nothing yet.

        Who waits for several is woken by the first entry, though its writer writes to all of them in one go: handled
        apart, the others' frames would miss the bundle into which the first one's are answered. Who cancels this must
        read on from what it has handled, not from where this stands.
        """
        found = self._found(await self._ask(line, streams, block_ms, count))
        if found and len(found) < len(streams):
            kept = [stream for stream in streams if stream in self._last]
            with suppress(RedisError, OSError):  # the next call tells of it: what was found must not be lost
                found += self._found(await self._ask(line, kept, None, count))
        return found

    async def _ask(self, line: Line, streams: list[str], block_ms: int | None, count: int) -> Any:
        after = [self._last[stream] for stream in streams]
        block = () if block_ms is None else (b"BLOCK", block_ms)
        command = (b"XREAD", b"COUNT", count, *block, b"STREAMS", *streams, *after)
        (reply,) = await line.replies((command,), wait_s=(block_ms or 0) / 1000)
        if isinstance(reply, Exception):
            self._wire.moved()
            raise reply
        return reply

    async def _ask_part(self, line: Line, streams: list[str], block_ms: int, count: int) -> Any:
        """Ask for some of the streams: one node's trouble does not hold up what the others have."""
        try:
            return await self._ask(line, streams, block_ms, count)
        except (RedisError, OSError) as error:
            if any(stream in self._last for stream in streams):
                extra = {"streams": streams, "error": type(error).__name__}
                logger.warning("streams: a node cannot be read", extra=extra)
            self._wire.moved()
            await asyncio.sleep(random.uniform(_NODE_RETRY_S / 3, _NODE_RETRY_S))  # noqa: S311 - jitter
            return None

    async def _first_of(self, parts: list[tuple[Line, list[str]]], block_ms: int, count: int) -> list[Any]:
        """Return the replies of those that answer first; the others are still asked."""
        for line, streams in parts:
            if line not in self._asked:
                asking = self._ask_part(line, streams, block_ms, count)
                self._asked[line] = asyncio.create_task(asking, name=f"read {streams[0]}")
        try:
            await asyncio.wait(self._asked.values(), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            for task in self._asked.values():
                task.cancel()
            self._asked.clear()
            raise
        done = {line: task for line, task in self._asked.items() if task.done()}
        for line in done:
            del self._asked[line]
        return [task.result() for task in done.values()]

    def _found(self, reply: Any) -> list[tuple[str, list[Entry]]]:
        found: list[tuple[str, list[Entry]]] = []
        for raw_name, entries in reply or ():
            name = raw_name.decode()
            if name not in self._last or not entries:
                continue
            self._last[name] = entries[-1][0]
            found.append((name, [Entry(EntryId.parse(raw), self._decode(fields)) for raw, fields in entries]))
        return found

    def _decode(self, fields: list[bytes]) -> list[Frame]:
        if fields[0] != FIELD:
            return []
        try:
            return decode_bundle(fields[1])
        except InvalidFormat as error:
            self.corrupt += 1
            logger.warning("streams: entry skipped", extra={"error": error.message})
            return []
