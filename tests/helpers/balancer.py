"""A load balancer as it stands before several gateways: each connection goes to the first of them that takes it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class Balancer:
    """Forwards bytes; ``backends`` are ports on loopback."""

    def __init__(self) -> None:
        self.backends: list[int] = []
        self.url = ""
        self._tasks: set[asyncio.Task[None]] = set()

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take one connection."""
        task = asyncio.create_task(self._serve(reader, writer), name="balanced connection")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            for port in self.backends:
                with suppress(OSError):
                    far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
                    await asyncio.gather(_pipe(reader, far_writer), _pipe(far_reader, writer))
                    return
        finally:
            writer.close()

    async def aclose(self) -> None:
        """Cut every connection."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        with suppress(ConnectionError):
            while data := await reader.read(65_536):
                writer.write(data)
                await writer.drain()
    finally:
        writer.close()


@asynccontextmanager
async def balancer() -> AsyncIterator[Balancer]:
    """Run a balancer on a free port."""
    balancing = Balancer()
    server = await asyncio.start_server(balancing.accept, "127.0.0.1", 0)
    balancing.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield balancing
    finally:
        server.close()
        await balancing.aclose()
