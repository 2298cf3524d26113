"""How the Redis of a role is written down: one server, a master that Sentinels know, or a Cluster. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from redis.connection import parse_url

SENTINEL_PORT = 26379
CLUSTER_PORT = 6379
_TLS_OPTIONS = frozenset({"ssl_ca_certs", "ssl_cert_reqs", "ssl_certfile", "ssl_keyfile"})
_SENTINEL_OPTIONS = frozenset({"sentinel_username", "sentinel_password"})
_SERVERS = frozenset({"redis", "rediss", "unix"})
_ACCEPTED = "redis://, rediss://, unix://, redis+sentinel:// or redis+cluster://"


class Topology(StrEnum):
    """What stands behind a URL."""

    SERVER = "server"
    SENTINEL = "sentinel"
    CLUSTER = "cluster"


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisUrl:
    """A URL, taken apart. Its ``repr`` shows no secret."""

    text: str = field(repr=False)
    topology: Topology
    hosts: tuple[tuple[str, int], ...] = ()
    """Sentinels, or any nodes of the Cluster; empty for one server, whose URL the client reads itself."""
    service: str = ""
    """What the Sentinels call the master."""
    db: int = 0
    username: str = ""
    password: str = field(default="", repr=False)
    tls: bool = False
    options: dict[str, str] = field(default_factory=dict, repr=False)
    """What stood after the question mark: ``ssl_…``, ``sentinel_username``, ``sentinel_password``."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a URL.

        ``redis+sentinel://[user:password@]host:port,host:port/service/db`` and ``redis+cluster://host:port,host:port``
        name several hosts; with ``rediss+`` in front they are spoken to over TLS.

        Raises:
            ValueError: it is none of the forms; the message shows nothing of it.

        """
        scheme, separator, _ = text.partition("://")
        base, plus, kind = scheme.partition("+")
        if not separator or base not in _SERVERS:
            raise ValueError(f"a Redis URL begins with {_ACCEPTED}")
        if not plus:
            return cls._server(text)
        if base == "unix" or kind not in {Topology.SENTINEL, Topology.CLUSTER}:
            raise ValueError(f"a Redis URL begins with {_ACCEPTED}")
        return cls._hosts(text, Topology(kind), tls=base == "rediss")

    @classmethod
    def _server(cls, text: str) -> Self:
        try:
            parse_url(text)  # type: ignore[no-untyped-call]  # the client has no types here
            port = urlsplit(text).port
        except ValueError as error:
            raise ValueError("not a Redis URL: expected redis://host:port/db or unix:///path?db=0") from error
        if port == 0:
            raise ValueError("a port is a number from 1 to 65535")
        return cls(text=text, topology=Topology.SERVER)

    @classmethod
    def _hosts(cls, text: str, topology: Topology, *, tls: bool) -> Self:
        rest, _, query = text.partition("://")[2].partition("?")
        address, _, path = rest.partition("/")
        login, _, hosts = address.rpartition("@")
        username, _, password = login.partition(":")
        service, db = _service(path) if topology is Topology.SENTINEL else _no_service(path)
        return cls(
            text=text,
            topology=topology,
            hosts=tuple(_host(part, topology) for part in hosts.split(",")),
            service=service,
            db=db,
            username=unquote(username),
            password=unquote(password),
            tls=tls,
            options=_options(query, topology),
        )

    @property
    def connection_options(self) -> dict[str, Any]:
        """Return what a client of the servers behind Sentinels or in a Cluster needs besides the host."""
        wanted: dict[str, Any] = {name: value for name, value in self.options.items() if name in _TLS_OPTIONS}
        if self.tls:
            wanted["ssl"] = True
        if self.topology is Topology.SENTINEL:
            wanted["db"] = self.db
        return wanted | self._login(self.username, self.password)

    @property
    def sentinel_options(self) -> dict[str, Any]:
        """Return what a client of the Sentinels themselves needs besides the host."""
        given = {name: value for name, value in self.options.items() if name in _TLS_OPTIONS}
        login = self._login(self.options.get("sentinel_username", ""), self.options.get("sentinel_password", ""))
        return given | login | ({"ssl": True} if self.tls else {})

    @staticmethod
    def _login(username: str, password: str) -> dict[str, str]:
        given = {"username": username, "password": password}
        return {name: value for name, value in given.items() if value}


def _host(text: str, topology: Topology) -> tuple[str, int]:
    host, _, port = text.strip().rpartition(":") if not text.strip().endswith("]") else (text.strip(), "", "")
    if not host and not port:
        raise ValueError("hosts are written host:port,host:port")
    if not host:
        host, port = port, str(SENTINEL_PORT if topology is Topology.SENTINEL else CLUSTER_PORT)
    port = port or str(SENTINEL_PORT if topology is Topology.SENTINEL else CLUSTER_PORT)
    if not port.isdecimal() or not 0 < int(port) < 65536:  # noqa: PLR2004 - the last port
        raise ValueError("a port is a number from 1 to 65535")
    return host.strip("[]"), int(port)


def _service(path: str) -> tuple[str, int]:
    service, _, db = path.partition("/")
    if not service or not (db or "0").isdecimal():
        raise ValueError("after the Sentinels come the master's name and a database: /service/0")
    return unquote(service), int(db or 0)


def _no_service(path: str) -> tuple[str, int]:
    if path not in {"", "0"}:
        raise ValueError("a Cluster has one database, and no name: redis+cluster://host:port,host:port")
    return "", 0


def _options(query: str, topology: Topology) -> dict[str, str]:
    options = dict(parse_qsl(query))
    known = _TLS_OPTIONS | (_SENTINEL_OPTIONS if topology is Topology.SENTINEL else frozenset())
    if set(options) - known:
        raise ValueError(f"after the question mark there may be {', '.join(sorted(known))}")
    return options
