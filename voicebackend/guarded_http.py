"""Requests to addresses that somebody wrote down: never to one that only our own network can reach.

A name may resolve to a loopback, private or link-local address, a cloud's metadata service among them. Each address is
looked at when a connection is made to it, so that a name that changes is caught too; redirects are not followed.
"""

from __future__ import annotations

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from voicebackend.errors import InvalidConfig

CONNECT_S = 5.0
"""Seconds to connect."""
READ_S = 30.0
"""Seconds from one piece of an answer to the next."""
_NAT64 = IPv6Network("64:ff9b::/96")
_OURS = tuple(map(ip_network, ("192.0.0.0/24", "fec0::/10", "64:ff9b:1::/48", "::/96", "::ffff:0:0:0/96")))
"""Networks that ``ipaddress`` takes for global: of protocols, sites, translators, and IPv4 in old forms of IPv6."""


class PrivateAddress(OSError):
    """A name resolved to an address that only our own network can reach."""


def is_public(address: str) -> bool:
    """Tell whether anybody on the internet may be at this IP address."""
    found = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address):
        found = _carried(found) or found
    return found.is_global and not found.is_multicast and not any(found in network for network in _OURS)


def check_url(text: str, *, field: str, private: bool = False) -> str:
    """Return a URL that may be asked.

    Raises:
        InvalidConfig: it is no HTTP URL, has a password in it, is not encrypted, or names an address of our own
            network; the last two are allowed with ``private``.

    """
    try:
        url = URL(text)
        host = url.host or ""
        literal = _is_address(host)
    except ValueError:
        raise _refused(field, "it is no URL") from None
    if not literal and host.replace(".", "").isdigit():  # 2130706433 and 127.1 are 127.0.0.1 to whoever connects
        raise _refused(field, "its host is a number: give a name, or an address as it is usually written")
    if url.scheme not in {"http", "https"} or not host:
        raise _refused(field, "it must begin with https:// and name a host")
    if url.user or url.password:
        raise _refused(field, "a user or password does not belong into a URL: give the secret by itself")
    if private:
        return text
    if url.scheme != "https":
        raise _refused(field, "it must begin with https://, or be given with private=True")
    if literal and not is_public(host):
        raise _refused(field, "it names an address of our own network: give it with private=True if that is meant")
    return text


def guarded_client(*, private: bool = False, limit: int = 100) -> aiohttp.ClientSession:
    """Return a client, with at most ``limit`` connections, that reaches public addresses only, or with ``private`` all.

    It is to be closed, and given ``allow_redirects=False`` with each request. It follows no proxy of the environment.
    """
    resolver = aiohttp.DefaultResolver() if private else GuardedResolver()
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=READ_S)
    connector = aiohttp.TCPConnector(resolver=resolver, limit=limit)
    return aiohttp.ClientSession(connector=connector, timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())


class GuardedResolver(AbstractResolver):
    """Resolves names as ``inner`` does, and leaves out what is not public."""

    def __init__(self, inner: AbstractResolver | None = None) -> None:
        self._inner = inner or aiohttp.DefaultResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the public addresses of a name; raises PrivateAddress where it has others only."""
        found = [result for result in await self._inner.resolve(host, port, family) if is_public(result["host"])]
        if not found:
            raise PrivateAddress(f"{host} is no public address")
        return found

    async def close(self) -> None:
        """Release the resolver."""
        await self._inner.close()


def _carried(address: IPv6Address) -> IPv4Address | None:
    """Return the IPv4 address that an IPv6 address stands for, if it does."""
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]


def _is_address(host: str) -> bool:
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _refused(field: str, why: str) -> InvalidConfig:
    details: dict[str, Any] = {"field": field}
    return InvalidConfig("url", f"{field}: {why}", details=details)
