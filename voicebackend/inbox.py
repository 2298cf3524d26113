"""A process's own stream: what others write to it, and its way to write to theirs."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable

from redis.exceptions import RedisError

from voicebackend import channel
from voicebackend._background import Background
from voicebackend._redis import connect, redis_errors
from voicebackend.keys import Keys
from voicebackend.streams import INBOX_WINDOW_S, Frame

logger = logging.getLogger(__name__)

KEEP_S = 0.5
"""Seconds between two trimmings."""


class Inbox:
    """Reads one stream and hands each frame to ``on_frame``, in order; ``on_frame`` returns at once."""

    def __init__(self, redis_url: str, keys: Keys, owner: str, on_frame: Callable[[Frame], None]) -> None:
        self._url, self._keys, self.owner, self._on_frame = redis_url, keys, owner, on_frame
        self._background = Background()

    async def open(self) -> None:
        """Create the stream and read it.

        Raises:
            ConnectionFailed, ConnectionTimeout: Redis is not there.

        """
        self._redis = connect(self._url)
        self._blocking = connect(self._url, timeout_s=None, max_connections=1)
        self._sender = channel.Sender(self._redis)
        self._reader = channel.Reader(self._blocking)
        stream = self._keys.inbox(self.owner)
        try:
            with redis_errors("inbox"):
                self._reader.add(stream, await channel.create(self._redis, stream))
        except BaseException:
            await self._disconnect()
            raise
        self._loops = [
            self._background.start(work, name=f"{name} inbox {self.owner}")
            for name, work in (("read", self._read()), ("keep", self._keep(stream)), ("send", self._sender.run()))
        ]

    async def run(self) -> None:
        """Wait, until cancelled, and raise what ended one of the inbox's loops: a defect, for Redis's errors do not."""
        done, _ = await asyncio.wait(self._loops, return_when=asyncio.FIRST_COMPLETED)
        for loop in done:
            loop.result()

    def send(self, owner: str, frame: Frame) -> None:
        """Write a frame to another process's inbox; it is lost if that process is gone."""
        self._sender.send(self._keys.inbox(owner), frame)

    async def aclose(self) -> None:
        """Write what is still queued, and remove the stream."""
        try:
            async with asyncio.timeout(1):
                await self._sender.flush()
                await self._background.aclose()
                await channel.remove(self._redis, self._keys.inbox(self.owner))
        except (RedisError, OSError, TimeoutError):
            logger.debug("inbox: Redis was gone before it", extra={"owner": self.owner})
        finally:
            await self._background.aclose()
            await self._disconnect()

    async def _disconnect(self) -> None:
        await self._redis.aclose()
        await self._blocking.aclose()

    async def _read(self) -> None:
        while True:
            try:
                for frame in await self._reader.frames():
                    self._on_frame(frame)
            except (RedisError, OSError) as error:
                logger.warning("inbox: cannot be read", extra={"error": type(error).__name__})
                await asyncio.sleep(random.uniform(0.05, 0.5))  # noqa: S311 - jitter

    async def _keep(self, stream: str) -> None:
        while True:
            await asyncio.sleep(KEEP_S)
            try:
                await channel.keep(self._redis, stream, self._reader, window_s=INBOX_WINDOW_S)
            except (RedisError, OSError) as error:
                logger.warning("inbox: cannot be kept", extra={"error": type(error).__name__})
