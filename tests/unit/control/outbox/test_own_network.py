"""Requests that somebody has us make into our own network: every way in that we know, against a server that counts."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer

from control.outbox.delivery import Answer, Delivery
from control.outbox.sender import send
from voicebackend import guarded_http
from voicebackend.errors import InvalidConfig
from voicebackend.guarded_http import PrivateAddress, check_url, guarded_client
from voicebackend.webhooks import Event

DELIVERY = Delivery.of(Event(id="evt_1", type="session.ended", created_at=1.0, tenant="t", session_id="s"), "endpoint")
METADATA = "169.254.169.254"
GLOBAL_TO_THE_LIBRARY = ["224.0.0.1", "192.0.0.8", "[fec0::1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]"]
"""Of which ``ipaddress`` says, or said, that anybody may be there."""
SPELLINGS = ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "①②⑦.0.0.1", "localhost", "127.0.0.1", "[::1]"]
"""Of this machine, as resolvers understand them."""


class Inside:
    """A server of our own network, such as Redis: whoever connects is counted."""

    def __init__(self) -> None:
        self.connected = 0
        self.port = 0

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Count, and hang up."""
        del reader
        self.connected += 1
        writer.close()


@pytest.fixture
async def inside() -> AsyncIterator[Inside]:
    """Give one that runs, on loopback."""
    found = Inside()
    async with await asyncio.start_server(found.take, "127.0.0.1", 0) as server:
        found.port = server.sockets[0].getsockname()[1]
        yield found


async def _post(url: str, *, private: bool = False) -> Answer:
    return await send(DELIVERY, url, ["whsec_x"], private=private)


@pytest.mark.parametrize("host", SPELLINGS)
@pytest.mark.parametrize("scheme", ["https", "http"])
async def test_no_spelling_of_this_machine_reaches_it(inside: Inside, host: str, scheme: str) -> None:
    """Whichever port is written: that of a server that is there, or Redis'."""
    for port in (inside.port, 6379):
        answer = await _post(f"{scheme}://{host}:{port}/")
        assert not answer.is_good
        assert answer.error
    assert inside.connected == 0


@pytest.mark.parametrize("host", [*GLOBAL_TO_THE_LIBRARY, METADATA])
async def test_addresses_that_pass_for_anybodys_are_refused_as_they_are_written(host: str) -> None:
    """Before anything is asked."""
    with pytest.raises(InvalidConfig, match="our own network"):
        check_url(f"https://{host}/latest/meta-data", field="url")
    assert "our own network" in (await _post(f"https://{host}/latest/meta-data")).error


class Rebinding(AbstractResolver):
    """A name whose address changes between two looks at it."""

    answers: tuple[str, ...] = ()
    looks = 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        address = self.answers[min(Rebinding.looks, len(self.answers) - 1)]
        Rebinding.looks += 1
        about: dict[str, Any] = {"hostname": host, "port": port, "family": family, "proto": 0, "flags": 0}
        return [ResolveResult(**{**about, "host": address})]

    async def close(self) -> None:
        """Nothing to release."""


async def test_a_name_that_is_bound_anew_is_looked_at_for_each_connection(
    inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was public when it was written down and when it was first looked at, and is ours when it is connected to."""
    monkeypatch.setattr(guarded_http.aiohttp, "DefaultResolver", Rebinding)
    monkeypatch.setattr(Rebinding, "answers", ("8.8.8.8", "127.0.0.1"))
    monkeypatch.setattr(Rebinding, "looks", 0)
    url = check_url(f"https://hooks.example:{inside.port}/", field="url")
    assert (await guarded_http.GuardedResolver().resolve("hooks.example"))[0]["host"] == "8.8.8.8"
    async with guarded_client() as client:
        with pytest.raises(aiohttp.ClientConnectorError) as caught:
            await client.post(url, allow_redirects=False)
    assert isinstance(caught.value.__cause__, PrivateAddress) or isinstance(caught.value.os_error, PrivateAddress)
    assert "our own network" in (await _post(url)).error
    assert (inside.connected, Rebinding.looks) == (0, 3)


@asynccontextmanager
async def redirecting(to: str, status: int) -> AsyncIterator[str]:
    """Run a receiver that sends whoever comes elsewhere."""

    async def answer(request: web.Request) -> web.Response:
        del request
        return web.Response(status=status, headers={"Location": to})

    app = web.Application()
    app.router.add_post("/hook", answer)
    async with TestServer(app) as server:
        yield str(server.make_url("/hook"))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_into_our_own_network_is_not_followed(inside: Inside, status: int) -> None:
    """Neither to a cloud's metadata nor to Redis, even where private addresses may be asked."""
    for to in (f"http://{METADATA}/latest/meta-data", f"http://127.0.0.1:{inside.port}/", "//localhost:6379/"):
        async with redirecting(to, status) as url:
            answer = await _post(url, private=True)
        assert (answer.status, answer.is_good) == (status, False)
        assert answer.error.startswith("it redirects")
    assert inside.connected == 0
