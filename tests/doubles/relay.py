"""A network in front of a real peer: every websocket passes through, and can be cut."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import aiohttp
from aiohttp import WSMsgType, web

from providers.conformance.double import KEY, Double

End = web.WebSocketResponse | aiohttp.ClientWebSocketResponse


class Relay(Double):
    """Has the peer's paths, and passes on what either side says until one of them hangs up."""

    def __init__(self, peer: str) -> None:
        """``peer``: the address of a websocket, ``ws://host:port/path``."""
        super().__init__()
        self._peer = peer

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        return [web.get("/{path:.*}", self._pass)]

    def key_of(self, request: web.Request) -> str:
        """Let everybody in: the peer asks for what it wants."""
        del request
        return KEY

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        async with aiohttp.ClientSession() as client, client.ws_connect(self._peer) as peer:
            caller = await self.accept(request)
            ways = [
                asyncio.create_task(_forward(caller, peer), name="relay to the peer"),
                asyncio.create_task(_forward(peer, caller), name="relay from the peer"),
            ]
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
        await caller.close()
        return caller


async def _forward(source: End, target: End) -> None:
    """Pass messages on until the source closes, or the target is gone."""
    async for message in source:
        if message.type is WSMsgType.TEXT:
            await target.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await target.send_bytes(message.data)
