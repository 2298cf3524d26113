"""What is left of a number that a caller typed, in anything that a process has written down."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from redis.asyncio import Redis

SHORTEST = 4
"""Digits in a row that are a trace."""
_ENTRY_ID = rb"\b\d{13}-\d+\b"
_MONITORED = rb"(?m)^\+?\d{10}\.\d{6} \[\d+ [^\]]*\] "
_MILLISECONDS = rb"\b1[0-9]{12}(?:\.\d+)?\b"
_FRACTION = rb"\b\d+\.\d+(?:e-?\d+)?\b"
_NOISE = re.compile(b"|".join((_MONITORED, _ENTRY_ID, _MILLISECONDS, _FRACTION)))
"""Numbers that are nobody's: times, places in streams."""
_SINGLE = re.compile(rb'digit\\*"\s*:\s*\\*"([0-9A-D*#])')
"""A key as it was logged before anything was sensitive."""


def traces(haystack: bytes, number: str) -> list[bytes]:
    """Return where four or more digits of a number stand in their order, alone or in something longer."""
    parts = {
        number[start:end].encode() for start in range(len(number)) for end in range(start + SHORTEST, len(number) + 1)
    }
    text = _NOISE.sub(b" ", haystack)
    alone = rb"(?<![0-9A-Za-z+/=_.\\x-])(\d{4,})(?![0-9A-Za-z+/=_.-])"
    found = [match for match in re.finditer(alone, text) if match[1] in parts]
    longer = [part for part in parts if len(part) > 2 * SHORTEST and part in text]
    return [text[max(0, match.start() - 40) : match.end() + 40] for match in found] + longer


def keys_told(haystack: bytes) -> list[bytes]:
    """Return keys that were written down one by one."""
    return [match[1] for match in _SINGLE.finditer(haystack)]


async def everything(redis: Redis) -> bytes:
    """Return all keys and values of a server, its slow log, and its append-only files."""
    slow: Any = await redis.slowlog_get(100_000)
    found: list[Any] = [repr(entry["command"]).encode() for entry in slow]
    async for key in redis.scan_iter(count=1000):
        found += [key, repr(await _value(redis, key)).encode()]
    settings: Any = await redis.config_get("dir")
    found += await asyncio.to_thread(_files, Path(settings["dir"]))
    return b"\n".join(found)


def _files(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.rglob("*") if path.is_file()]


async def _value(redis: Redis, key: bytes) -> Any:
    kind: Any = await redis.type(key)
    readers: Mapping[str, Any] = {
        "string": lambda: redis.get(key),
        "hash": lambda: redis.hgetall(key),
        "stream": lambda: redis.xrange(key),
        "zset": lambda: redis.zrange(key, 0, -1),
        "set": lambda: redis.smembers(key),
        "list": lambda: redis.lrange(key, 0, -1),
    }
    return await readers[kind.decode()]() if kind.decode() in readers else None


class Monitored:
    """What a server was told while it was listened to."""

    def __init__(self) -> None:
        self.said = bytearray()

    async def read(self, reader: asyncio.StreamReader) -> None:
        """Listen until cancelled."""
        while data := await reader.read(1 << 16):
            self.said += data


@asynccontextmanager
async def monitored(url: str) -> AsyncIterator[Monitored]:
    """Listen to every command that a server is given."""
    where = urlsplit(url)
    reader, writer = await asyncio.open_connection(where.hostname, where.port or 6379, limit=1 << 22)
    if where.password:
        writer.write(f"AUTH {where.password}\r\n".encode())
    writer.write(b"MONITOR\r\n")
    await writer.drain()
    heard = Monitored()
    reading = asyncio.create_task(heard.read(reader), name="monitor")
    try:
        yield heard
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        writer.close()
