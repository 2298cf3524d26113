"""Redis is killed and comes back empty while frames are sent: what waits is written once the stream is there again."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError
from redis_harness import find_redis_server

from voicebackend import channel
from voicebackend._background import Background
from voicebackend._redis import HOT_TIMEOUT_S, connect
from voicebackend.streams import Frame, Kind

pytestmark = pytest.mark.own_redis("the servers themselves are tested")

SESSION = "0f" * 16


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Callable[[], subprocess.Popen[bytes]]]:
    """Give a function that starts a redis-server on the same socket, always empty."""
    command = [find_redis_server(), "--port", "0", "--unixsocket", "redis.sock", "--save", ""]
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
async def clients(tmp_path: Path) -> AsyncIterator[tuple[Redis, Redis]]:
    """Give a client of that server for commands, and one for reads that block."""
    url = f"unix://{tmp_path}/redis.sock"
    quick, blocking = connect(url, timeout_s=HOT_TIMEOUT_S), connect(url, timeout_s=None)
    yield quick, blocking
    await quick.aclose()
    await blocking.aclose()


async def until_up(redis: Redis) -> None:
    """Wait for the server."""
    async with asyncio.timeout(10):
        while True:
            with suppress(RedisError, OSError):
                await redis.ping()
                return
            await asyncio.sleep(0.02)


async def own(redis: Redis, reader: channel.Reader, got: list[Frame]) -> None:
    """Do what the holder of a lane does: read it and keep it."""
    kept = 0.0
    while True:
        try:
            got += await reader.frames(block_ms=50)
            if time.monotonic() - kept > 0.2:
                kept = time.monotonic()
                await channel.keep(redis, "lane", reader, window_s=10)
        except (RedisError, OSError):
            await asyncio.sleep(0.05)


async def until_read(got: list[Frame], count: int) -> None:
    """Wait until so many frames have been read."""
    async with asyncio.timeout(10):
        while len(got) < count:  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.01)


async def test_what_is_sent_while_redis_restarts_arrives_once_and_in_order(
    server: Callable[[], subprocess.Popen[bytes]], clients: tuple[Redis, Redis]
) -> None:
    """Two seconds of audio and a key, sent from the kill until the lane's holder has made it anew."""
    redis, blocking = clients
    first = server()
    await until_up(redis)
    reader, sender, background = channel.Reader(blocking), channel.Sender(redis), Background()
    reader.add("lane", await channel.create(redis, "lane"))
    got: list[Frame] = []
    owning = background.start(own(redis, reader, got), name="owner")
    background.start(sender.run(), name="sender")
    sender.send("lane", Frame(session=SESSION, kind=Kind.ATTACH, seq=1))
    await until_read(got, 1)
    owning.cancel()  # the holder hangs too
    first.kill()
    first.wait()
    for seq in range(1, 101):
        sender.send("lane", Frame(session=SESSION, kind=Kind.AUDIO_IN, seq=seq, payload=bytes(640)))
        if seq == 50:
            sender.send("lane", Frame(session=SESSION, kind=Kind.DTMF, seq=2))
            server()
            await until_up(redis)
        await asyncio.sleep(0.02)
    assert sender.dropped == 0
    background.start(own(redis, reader, got), name="owner again")
    await until_read(got, 102)
    await background.aclose()
    assert [frame.kind for frame in got if frame.kind is not Kind.AUDIO_IN] == [Kind.ATTACH, Kind.DTMF]
    assert [frame.seq for frame in got if frame.kind is Kind.AUDIO_IN] == list(range(1, 101))
    assert got[51].kind is Kind.DTMF
