"""A network that can fall silent: a proxy before a Redis, through which nothing goes while it is cut.

Connections stay open meanwhile, as they do where packets are dropped: nobody is told.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

_CHUNK = 65_536


class Partition:
    """The way of one process to its Redis servers; ``urls`` are theirs as that process must call them."""

    def __init__(self) -> None:
        self.urls: dict[str, str] = {}
        self._open = asyncio.Event()
        self._open.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._servers: dict[str, asyncio.Server] = {}

    def cut(self) -> None:
        """Let nothing through, in either direction."""
        self._open.clear()

    def heal(self) -> None:
        """Let everything through that has waited, and what follows."""
        self._open.set()

    async def stand_before(self, urls: Mapping[str, str]) -> None:
        """Open a port before each of these servers."""
        for name, url in urls.items():
            if url not in self._servers:
                self._servers[url] = await asyncio.start_server(self._accepting(url), "127.0.0.1", 0)
            port = self._servers[url].sockets[0].getsockname()[1]
            self.urls[name] = f"redis://127.0.0.1:{port}{'' if url.startswith('unix') else urlsplit(url).path}"

    async def aclose(self) -> None:
        """Cut every connection for good."""
        for server in self._servers.values():
            server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _accepting(self, url: str):  # noqa: ANN202 - what start_server takes
        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(self._serve(url, reader, writer), name="connection through a partition")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        return accept

    async def _serve(self, url: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self._open.wait()
            with suppress(OSError):
                far_reader, far_writer = await _reach(url)
                await asyncio.gather(self._pipe(reader, far_writer), self._pipe(far_reader, writer))
        finally:
            writer.close()

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(ConnectionError):
                while data := await reader.read(_CHUNK):
                    await self._open.wait()
                    writer.write(data)
                    await writer.drain()
        finally:
            writer.close()


async def _reach(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return await asyncio.open_unix_connection(parts.path)
    return await asyncio.open_connection(parts.hostname or "127.0.0.1", parts.port or 6379)


@asynccontextmanager
async def partition(urls: Mapping[str, str]) -> AsyncIterator[Partition]:
    """Run the way of one process to the servers of these URLs."""
    way = Partition()
    await way.stand_before(urls)
    try:
        yield way
    finally:
        await way.aclose()
