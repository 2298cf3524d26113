"""Requests to addresses that somebody wrote down never reach our own network."""

from __future__ import annotations

import socket
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer

from voicebackend.errors import InvalidConfig
from voicebackend.guarded_http import GuardedResolver, PrivateAddress, check_url, guarded_client, is_public


@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1"),
        *("224.0.0.1", "::1", "::", "fe80::1%eth0", "fd00::1", "ff02::1"),
        *("192.0.0.8", "fec0::1", "64:ff9b:1::a00:1", "::127.0.0.1"),
        *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "2002:7f00:1::", "2002:a00:1::", "64:ff9b::a00:1"),
        *("::ffff:0:127.0.0.1", "::ffff:0:a9fe:a9fe"),
    ],
)
def test_addresses_of_our_own_network_are_not_public(address: str) -> None:
    """Also where IPv6 carries an IPv4 address inside."""
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_addresses_of_the_internet_are(address: str) -> None:
    """Of both families."""
    assert is_public(address)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://host/x", "must begin with https://"),
        ("https://", "must begin with https://"),
        ("http://example.org/", "must begin with https://, or be given with private=True"),
        ("https://ada:secret@example.org/", "a user or password does not belong into a URL"),
        ("https://127.0.0.1/", "an address of our own network"),
        ("https://[::1]:8443/", "an address of our own network"),
        ("https://[::ffff:0:127.0.0.1]/", "an address of our own network"),
        ("https://169.254.169.254/latest/meta-data", "an address of our own network"),
        ("http://[oops", "it is no URL"),
        *((f"https://{host}/", "its host is a number") for host in ("2130706433", "127.1", "0177.0.0.1", "①②⑦.1")),
    ],
)
def test_a_url_that_may_not_be_asked_is_refused(url: str, why: str) -> None:
    """With the field and what to do, without the secret."""
    with pytest.raises(InvalidConfig, match="url: ") as caught:
        check_url(url, field="url")
    assert why in caught.value.message
    assert "secret" not in caught.value.message.replace("the secret", "")


def test_a_url_of_our_own_network_is_allowed_when_that_is_said() -> None:
    """With ``private``."""
    assert check_url("http://127.0.0.1:8000/v1", field="url", private=True) == "http://127.0.0.1:8000/v1"


class Names(AbstractResolver):
    """Resolves every name to these addresses."""

    def __init__(self, *addresses: str) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        about: dict[str, Any] = {"hostname": host, "port": port, "family": family, "proto": 0, "flags": 0}
        return [ResolveResult(**{**about, "host": address}) for address in self._addresses]

    async def close(self) -> None:
        """Nothing to release."""


async def test_a_name_that_resolves_to_our_own_network_is_not_connected_to() -> None:
    """Of several addresses the public ones are left."""
    with pytest.raises(PrivateAddress):
        await GuardedResolver(Names("127.0.0.1", "10.0.0.1")).resolve("inside.example")
    left = await GuardedResolver(Names("127.0.0.1", "8.8.8.8")).resolve("both.example")
    assert [result["host"] for result in left] == ["8.8.8.8"]


async def test_a_client_does_not_reach_a_server_of_this_machine_by_name() -> None:
    """``localhost`` is refused when the connection is made; with ``private`` it answers."""

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text="inside")

    app = web.Application()
    app.router.add_get("/", answer)
    async with TestServer(app) as server:
        url = f"http://localhost:{server.port}/"
        async with guarded_client() as client:
            with pytest.raises(aiohttp.ClientConnectorError):
                await client.get(url, allow_redirects=False)
        async with guarded_client(private=True) as client, client.get(url, allow_redirects=False) as response:
            assert await response.text() == "inside"
