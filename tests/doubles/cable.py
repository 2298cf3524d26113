"""A TCP connection that can be pulled out: everything through it breaks, and nothing gets through for a while."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Self


class Cable:
    """Forwards to a port of this machine."""

    def __init__(self, port: int) -> None:
        self._to, self.port = port, 0
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._dead_until = 0.0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        self.pull()
        await self._server.wait_closed()

    def pull(self, seconds: float = 0.0) -> None:
        """Break every connection, and for so long each that is tried."""
        self._dead_until = asyncio.get_running_loop().time() + seconds
        for writer in list(self._open):
            writer.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if asyncio.get_running_loop().time() < self._dead_until:
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection("127.0.0.1", self._to)
        self._open |= {writer, back}
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(_copy(reader, back), name="cable out")
                group.create_task(_copy(there, writer), name="cable back")
        finally:
            self._open -= {writer, back}


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copy until one end is gone, and take the other with it."""
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    writer.transport.abort()
