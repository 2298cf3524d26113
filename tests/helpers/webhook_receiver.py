"""A receiver of webhooks: it answers as it is told to, and keeps what was genuine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web
from aiohttp.test_utils import TestServer

from voicebackend.webhooks import Event, verify


@dataclass
class Receiver:
    """Takes webhooks at ``url``; ``statuses`` are answered one after the other, then 200."""

    url: str = ""
    secret: str = ""
    statuses: list[int] = field(default_factory=list)
    requests: int = 0
    events: list[Event] = field(default_factory=list)
    """Those that were answered with 200, each as often as it came."""
    _came: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def take(self, request: web.Request) -> web.Response:
        """Check a request, and answer it."""
        event = verify(request.headers, await request.read(), self.secret)
        status = self.statuses.pop(0) if self.statuses else 200
        async with self._came:
            self.requests += 1
            if status == 200:
                self.events.append(event)
            self._came.notify_all()
        return web.Response(status=status, headers={"Location": self.url} if status == 302 else {})

    async def until(self, types: Iterable[str], timeout_s: float = 60.0) -> list[Event]:
        """Return the events once each of these types has come."""
        wanted = set(types)
        async with asyncio.timeout(timeout_s), self._came:
            await self._came.wait_for(lambda: wanted <= {event.type for event in self.events})
        return self.events

    async def until_all(self, count: int, timeout_s: float = 60.0) -> list[Event]:
        """Return the events once there are so many."""
        async with asyncio.timeout(timeout_s), self._came:
            await self._came.wait_for(lambda: len(self.events) >= count)
        return self.events


@asynccontextmanager
async def receiving(*statuses: int) -> AsyncIterator[Receiver]:
    """Run a receiver on a free port of this machine."""
    receiver = Receiver(statuses=list(statuses))
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    async with TestServer(app) as server:
        receiver.url = str(server.make_url("/hook"))
        yield receiver
