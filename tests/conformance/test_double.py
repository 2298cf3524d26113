"""What vendors' doubles tell of those who use them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable

import aiohttp
import pytest
from aiohttp import web

from providers.conformance.double import KEY, Double


class HeldDouble(Double):
    """Answers once it is let to."""

    def __init__(self) -> None:
        super().__init__()
        self.asked, self.let = asyncio.Event(), asyncio.Event()

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """Return the one."""
        return [web.get("/held", self._hold)]

    async def _hold(self, request: web.Request) -> web.StreamResponse:
        del request
        self.asked.set()
        await self.let.wait()
        return web.Response()


@pytest.fixture
async def double() -> AsyncIterator[HeldDouble]:
    """Give it, running."""
    async with HeldDouble() as double:
        yield double
        double.let.set()


@pytest.mark.parametrize("end", ["answered", "given up"])
async def test_a_request_is_open_until_it_is_answered_or_given_up(double: HeldDouble, end: str) -> None:
    """Websockets are not all that a vendor bills."""
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {KEY}"}) as client:
        asking = asyncio.create_task(client.get(f"{double.url}/held"), name="asking")
        await double.asked.wait()
        assert not await double.released(seconds=0.05)
        if end == "answered":
            double.let.set()
            (await asking).close()
        else:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)
        assert await double.released()
