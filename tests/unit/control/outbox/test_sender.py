"""One try to deliver: what it sends, what it makes of answers, and where it never goes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer

from control.outbox import sender
from control.outbox.delivery import Answer, Delivery
from control.outbox.sender import send
from voicebackend import guarded_http
from voicebackend.webhooks import Event, verify

SECRET = "whsec_x"
DELIVERY = Delivery.of(Event(id="evt_1", type="session.ended", created_at=1.0, tenant="t", session_id="s"), "endpoint")
OURS = [
    *("127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.64.0.1"),
    *("0.0.0.0", "0.1.2.3"),  # noqa: S104 - nothing binds to it
    *("224.0.0.1", "192.0.0.8", "198.18.0.1", "240.0.0.1", "255.255.255.255"),
    *("::1", "::", "fe80::1", "fc00::1", "fec0::1", "ff02::1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::"),
    *("::ffff:127.0.0.1", "::127.0.0.1", "2001:db8::1"),
]
"""Addresses of our own network, some of which the standard library takes for anybody's."""
SPELLINGS = ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "①②⑦.0.0.1", "localhost"]
"""Of 127.0.0.1, as resolvers understand them."""


@asynccontextmanager
async def server(handler: Any) -> AsyncIterator[str]:
    """Run a receiver, and give its address."""
    app = web.Application()
    app.router.add_post("/hook", handler)
    async with TestServer(app) as running:
        yield str(running.make_url("/hook"))


async def _never(_request: web.Request) -> web.Response:
    raise AssertionError("this must not be asked")


async def _send(url: str, *, private: bool = True) -> Answer:
    return await send(DELIVERY, url, [SECRET], private=private)


async def test_what_arrives_can_be_proven() -> None:
    """Signed with the time of the try, as JSON."""
    came: list[Event] = []

    async def take(request: web.Request) -> web.Response:
        assert request.content_type == "application/json"
        came.append(verify(request.headers, await request.read(), SECRET))
        return web.Response(status=204)

    async with server(take) as url:
        assert (await _send(url)).is_good
    assert [event.id for event in came] == ["evt_1"]


@pytest.mark.parametrize(("status", "error"), [(500, "it answers 500"), (404, "it answers 404"), (302, "it redirects")])
async def test_other_answers_are_told(status: int, error: str) -> None:
    """A redirect is not followed."""
    asked: list[str] = []

    async def refuse(request: web.Request) -> web.Response:
        asked.append(request.path)
        return web.Response(status=status, headers={"Location": "/elsewhere"})

    async with server(refuse) as url:
        answer = await _send(url)
    assert (answer.status, answer.is_good, asked) == (status, False, ["/hook"])
    assert answer.error.startswith(error)


async def test_a_receiver_that_does_not_answer_costs_some_seconds_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that is not there, none."""
    monkeypatch.setattr(sender, "TRY_S", 0.2)
    done = asyncio.Event()

    async def hang(_request: web.Request) -> web.Response:
        await done.wait()
        return web.Response()

    async with server(hang) as url:
        answer = await _send(url)
        done.set()
    assert answer == Answer(error="no answer within 0.2 s")
    gone = await _send(url)
    assert (gone.status, bool(gone.error)) == (0, True)


@pytest.mark.parametrize("address", OURS)
async def test_an_address_of_our_own_network_is_refused(address: str) -> None:
    """Written down as it is: nothing is connected to."""
    host = f"[{address}]" if ":" in address else address
    answer = await _send(f"https://{host}/hook", private=False)
    assert "an address of our own network" in answer.error


@pytest.mark.parametrize("address", OURS)
async def test_a_name_that_leads_there_is_refused(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the name looks like, at the moment of connecting."""
    monkeypatch.setattr(guarded_http.aiohttp, "DefaultResolver", lambda: Names(address))
    answer = await _send("https://hooks.example.com/hook", private=False)
    assert answer == Answer(error="its name leads to an address of our own network")


@pytest.mark.parametrize("host", SPELLINGS)
async def test_a_number_is_no_way_around(host: str) -> None:
    """Other spellings of 127.0.0.1 are resolved, or no host's name at all."""
    async with server(_never) as url:
        port = url.split(":")[2].split("/")[0]
        answer = await _send(f"https://{host}:{port}/hook", private=False)
    assert (answer.status, "our own network" in answer.error or "a number" in answer.error) == (0, True)


async def test_a_name_that_changes_between_tries_is_looked_at_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Public when it was written down and at the first look, ours at the next (rebinding)."""
    names = Names("93.184.216.34", "127.0.0.1")
    monkeypatch.setattr(guarded_http.aiohttp, "DefaultResolver", lambda: names)
    monkeypatch.setattr(sender, "TRY_S", 0.3)
    await _send("https://hooks.example.com/hook", private=False)
    answer = await _send("https://hooks.example.com/hook", private=False)
    assert answer == Answer(error="its name leads to an address of our own network")
    assert names.asked >= 2


@pytest.mark.parametrize(
    "url", ["http://hooks.example.com/", "ftp://example.com/", "https://u:p@example.com/", "//x", ""]
)
async def test_what_was_written_down_otherwise_is_not_asked(url: str) -> None:
    """Also if it came into Redis past the API."""
    answer = await _send(url, private=False)
    assert (answer.status, answer.error.startswith("url: ")) == (0, True)


class Names(AbstractResolver):
    """Knows one name by one address after the other; the last one stays."""

    def __init__(self, *addresses: str) -> None:
        self._addresses, self.asked = list(addresses), 0

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        del family
        self.asked += 1
        address = self._addresses.pop(0) if len(self._addresses) > 1 else self._addresses[0]
        kind = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [ResolveResult(hostname=host, host=address, port=port, family=kind, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing to release."""
