"""The connections to the vendor's voice that all sessions of a process share."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from providers.cartesia.contexts import MAX_CONTEXTS, Connection, Context
from providers.remote.socket import RemoteSocket


class Connections:
    """Opens one when those there are full, and closes one on which nobody has spoken for a while."""

    def __init__(self, connect: Callable[[], Awaitable[RemoteSocket]], *, keep_s: float) -> None:
        self._connect, self._keep_s = connect, keep_s
        self._open: list[Connection] = []
        self._connecting = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()
        self._timers: dict[Connection, asyncio.TimerHandle] = {}

    def __repr__(self) -> str:
        return f"<Connections [{len(self._open)} open, {sum(map(len, self._open))} contexts]>"

    @asynccontextmanager
    async def context(self, context: Context, request: dict[str, Any]) -> AsyncIterator[Context]:
        """Have a text spoken; leaving stops it.

        Raises:
            VoiceBackendError: the vendor refuses the connection, or cannot be reached.

        """
        connection = self._free()
        if connection is None:
            async with self._connecting:
                connection = self._free() or self._opened(await self._connect())
        self._keep(connection)
        connection.begin(context, request)
        try:
            yield context
        finally:
            connection.end(context)
            self._release(connection)

    async def aclose(self) -> None:
        """Close them all."""
        for connection in list(self._open):
            self._close(connection)
        await asyncio.gather(*self._closing)

    def _free(self) -> Connection | None:
        for connection in list(self._open):
            if not connection.is_open:
                self._close(connection)
        return next((connection for connection in self._open if len(connection) < MAX_CONTEXTS), None)

    def _opened(self, socket: RemoteSocket) -> Connection:
        connection = Connection(socket)
        self._open.append(connection)
        return connection

    def _keep(self, connection: Connection) -> None:
        timer = self._timers.pop(connection, None)
        if timer is not None:
            timer.cancel()

    def _release(self, connection: Connection) -> None:
        """Close it soon if nobody is left on it; at once if it is broken."""
        if len(connection) or connection not in self._open:
            return
        if self._keep_s <= 0 or not connection.is_open:
            self._close(connection)
        else:
            loop = asyncio.get_running_loop()
            self._timers[connection] = loop.call_later(self._keep_s, self._close, connection)

    def _close(self, connection: Connection) -> None:
        self._keep(connection)
        self._open.remove(connection)
        closing = asyncio.create_task(connection.aclose(), name="cartesia-tts-close")
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
