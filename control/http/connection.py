"""A TCP connection that requests come over: kept for as long as a proxy keeps it, but not for one that trickles.

Proxies hold connections that idle, and use them again: one that is closed under such a request is a 502 to whoever sent
it. So an idle one is kept for longer than proxies keep it, and is bounded by where it stands: a connection's first
request, and every one of which something has come, has to be there as a whole soon.
"""

from __future__ import annotations

import asyncio

from aiohttp import web

from control.http.routing import Handler

KEEP_ALIVE_S = 75.0
"""Seconds that a connection may idle between two requests; proxies usually keep theirs for 60."""
HEADERS_S = 10.0
"""Seconds in which a request's headers have to come, from its first byte on, or from the connection's opening."""


class Connection(asyncio.Protocol):
    """Stands before aiohttp's protocol, passes everything on, and closes where a request does not come in time."""

    def __init__(self, inner: asyncio.Protocol) -> None:
        self._inner = inner
        self._transport: asyncio.BaseTransport | None = None
        self._waiting: asyncio.TimerHandle | None = None
        self._under_way = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for the first request."""
        self._transport = transport
        self._wait()
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Wait for the rest of a request that begins with this."""
        if not self._under_way and self._waiting is None:
            self._wait()
        self._inner.data_received(data)

    def request_came(self) -> None:
        """Note that a request's headers are there: until :meth:`request_went` nothing is waited for."""
        self._under_way = True
        self._stop_waiting()

    def request_went(self) -> None:
        """Note that a request was answered and its body is through: what comes next begins another."""
        self._under_way = False

    def eof_received(self) -> bool | None:
        """Pass it on."""
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        """Pass it on."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._stop_waiting()
        self._under_way = True
        self._inner.connection_lost(exc)

    def _wait(self) -> None:
        self._waiting = asyncio.get_running_loop().call_later(HEADERS_S, self._give_up)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        self._waiting = None
        if self._transport is not None:
            self._transport.close()


@web.middleware
async def noted(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Tell the connection when a request has come, and when it is through."""
    connection = request.transport.get_protocol() if request.transport is not None else None
    if not isinstance(connection, Connection):
        return await handler(request)
    connection.request_came()
    try:
        return await handler(request)
    finally:
        request.content.on_eof(connection.request_went)
