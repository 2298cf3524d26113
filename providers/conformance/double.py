"""What every double of a vendor has: a real server on loopback, a key, faults to order, and calls that are counted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

from aiohttp import WSCloseCode, web

KEY = "sk-double-5f0c2e7d9a41b8"
"""The only key that doubles accept: no log may ever show it."""
DRIP_S = 0.2
"""Seconds between two bytes of an answer that drips."""
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What is done to a request in place of answering it."""

    kind: str
    """``status``, ``hang``, ``late``, ``drip``, ``garbage``, ``oversized``, ``close`` or ``drop``.

    The last two are for websockets, ``drip`` is for other requests: their answer comes byte by byte, and never ends.
    ``late`` does what is asked, and answers after ``late_s``.
    """
    status: int = 500
    """Of ``status``: HTTP; of ``close``: the websocket's code."""
    retry_after: str = ""
    late_s: float = 60
    times: int = 10_000
    """Requests to which it is done."""

    def hits(self, request: web.Request) -> bool:
        """Tell whether it can be done to this request."""
        wanted = {"close": True, "drop": True, "drip": False}.get(self.kind)
        return wanted is None or wanted == _is_websocket(request)


@dataclass(slots=True)
class Seen:
    """A request as it came."""

    method: str
    path: str
    query: dict[str, str] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


class Double:
    """A vendor on loopback. Subclasses give ``routes``, open websockets by ``accept`` and say how a key is sent."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.sockets: set[web.WebSocketResponse] = set()
        """Open now: empty once every call is released."""
        self.broken = 0
        """Websockets that were broken."""
        self.delay_s = 0.0
        """Seconds that every answer is late by."""
        self.garbled: list[str] = []
        """What the client sent that the vendor's API does not know: must stay empty."""
        self._idle = asyncio.Event()
        self._idle.set()
        self._accepted = asyncio.Event()
        self._fault: Fault | None = None
        self._faulty = 0
        self._runner: web.AppRunner | None = None
        self._requests: dict[web.WebSocketResponse, web.Request] = {}
        self._asking: set[asyncio.Transport] = set()
        """Connections of requests that are not answered."""
        self.port = 0

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """Return the vendor's paths."""
        raise NotImplementedError

    def key_of(self, request: web.Request) -> str:
        """Return the key that a request carries."""
        return request.headers.get("Authorization", "").removeprefix("Bearer ")

    @property
    def url(self) -> str:
        """Where it is, for HTTP."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws_url(self) -> str:
        """Where it is, for websockets."""
        return f"ws://127.0.0.1:{self.port}"

    def order(self, fault: Fault | None) -> None:
        """Have the next requests go wrong."""
        self._fault, self._faulty = fault, 0

    async def __aenter__(self) -> Self:
        app = web.Application(middlewares=[self._middleware], client_max_size=8 * 2**20)
        app.add_routes(self.routes())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self.drop()
        if self._runner is not None:
            await self._runner.cleanup()

    def drop(self) -> int:
        """Break every open websocket as a dead network does; return how many there were."""
        for ws in list(self.sockets):
            self.cut(ws)
        return len(self.sockets)

    def cut(self, ws: web.WebSocketResponse) -> None:
        """Break one of them, if it is still open."""
        transport = self._requests[ws].transport if ws in self.sockets else None
        if transport is not None:
            transport.abort()
            self.broken += 1

    async def hang_up(self, code: int) -> None:
        """Close every open websocket with a code."""
        for ws in list(self.sockets):
            await ws.close(code=code)

    async def released(self, *, seconds: float = 5.0) -> bool:
        """Wait until no call is open, and no request unanswered whose client is there; tell whether that came."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._idle.wait()
                while self._is_asked():  # noqa: ASYNC110 - nothing tells that a client has gone
                    await asyncio.sleep(0.01)
        return not self.sockets and not self._is_asked()

    def _is_asked(self) -> bool:
        return not all(transport.is_closing() for transport in self._asking)

    async def call_after(self, before: set[web.WebSocketResponse]) -> web.WebSocketResponse:
        """Return a websocket that was opened after these, once there is one."""
        async with asyncio.timeout(10):
            while not (found := self.sockets - before):
                self._accepted.clear()
                await self._accepted.wait()
        return found.pop()

    async def accept(self, request: web.Request) -> web.WebSocketResponse:
        """Open a websocket, which counts as a call until its handler returns."""
        ws = web.WebSocketResponse(max_msg_size=4 * 2**20)
        await ws.prepare(request)
        self.sockets.add(ws)
        self._accepted.set()
        self._idle.clear()
        self._requests[ws] = request
        return ws

    @web.middleware
    async def _middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.seen.append(Seen(request.method, request.path, dict(request.query), dict(request.headers)))
        transport, before = request.transport, set(self.sockets)
        if transport is not None:  # its client is still there
            self._asking.add(transport)
        try:
            fault = self._fault
            if fault is not None and self._faulty < fault.times and fault.hits(request):
                self._faulty += 1
                if fault.kind != "late":
                    return await self._fail(request, fault)
                late = await handler(request)
                await asyncio.sleep(fault.late_s)
                return late
            if self.key_of(request) != KEY:
                return web.json_response({"error": {"message": f"bad key {KEY}"}}, status=401)
            if self.delay_s:
                await asyncio.sleep(self.delay_s)
            return await handler(request)
        finally:
            if transport is not None:
                self._asking.discard(transport)
            for ws in self.sockets - before:
                if self._requests[ws] is request:
                    self.sockets.discard(ws)
                    del self._requests[ws]
            if not self.sockets:
                self._idle.set()

    async def _fail(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        if fault.kind == "hang":
            await asyncio.sleep(60)
        if fault.kind in {"status", "hang"}:
            headers = {"Retry-After": fault.retry_after} if fault.retry_after else {}
            return web.json_response({"error": {"message": f"bad {KEY}"}}, status=fault.status, headers=headers)
        if fault.kind == "drip":
            return await _dripping(request)
        if not _is_websocket(request):
            body = b"<html>" + (b"x" * (20 * 2**20) if fault.kind == "oversized" else b"not what you expect")
            return web.Response(body=body, content_type="application/json")
        ws = await self.accept(request)
        if fault.kind == "garbage":
            await ws.send_str("{[not json")
            await ws.send_bytes(bytes(range(256)))
        elif fault.kind == "oversized":
            await ws.send_str('{"type":"' + "x" * (20 * 2**20) + '"}')
        elif fault.kind == "drop" and request.transport is not None:
            request.transport.abort()
        elif fault.kind == "close":
            await ws.close(code=fault.status or WSCloseCode.INTERNAL_ERROR)
        await ws.receive()  # until the client goes
        return ws


async def _dripping(request: web.Request) -> web.StreamResponse:
    """Answer byte by byte, until the client goes or a minute is over."""
    answer = web.StreamResponse(headers={"Content-Type": "application/json"})
    await answer.prepare(request)
    for _ in range(300):
        await answer.write(b" ")
        await asyncio.sleep(DRIP_S)
    return answer


def _is_websocket(request: web.Request) -> bool:
    return request.headers.get("Upgrade", "").lower() == "websocket"
