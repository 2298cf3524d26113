"""The broker as Celery's Redis transport wants to be told of it. Pure."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from voicebackend.errors import InvalidConfig
from voicebackend.redis_url import RedisUrl, Topology

ANSWER_S = 3.0
"""Seconds that the broker has for an answer: a consumer that waits longer takes no tasks meanwhile."""
CONNECT_S = 2.0
"""Seconds that connecting may take."""
HEALTH_CHECK_S = 5
"""Seconds after which a connection that was idle is tried before it is used."""


def broker_url(url: str) -> str:
    """Return a Redis URL as Celery spells it.

    Raises:
        InvalidConfig: Celery has no such broker.

    """
    parsed = _parsed(url)
    if parsed.topology is Topology.SENTINEL:
        login = f"{quote(parsed.username, safe='')}:{quote(parsed.password, safe='')}@" if parsed.password else ""
        return ";".join(f"sentinel://{login}{_in_url(host)}:{port}/{parsed.db}" for host, port in parsed.hosts)
    if url.startswith("unix://"):
        path, _, query = url.removeprefix("unix://").partition("?")
        database = query.removeprefix("db=") if query.startswith("db=") else "0"
        return f"redis+socket://{path}?virtual_host={database}"
    return url


def broker_options(url: str) -> dict[str, Any]:
    """Return how Celery is to connect: soon given up, tried while idle, to the master that Sentinels name.

    Raises:
        InvalidConfig: Celery has no such broker.

    """
    parsed = _parsed(url)
    options: dict[str, Any] = {
        "health_check_interval": HEALTH_CHECK_S,
        "socket_timeout": ANSWER_S,
        "socket_connect_timeout": CONNECT_S,
        "socket_keepalive": not url.startswith("unix:"),
    }
    if parsed.topology is Topology.SENTINEL:
        options["master_name"] = parsed.service
        options["sentinel_kwargs"] = {
            "socket_timeout": CONNECT_S,
            "socket_connect_timeout": CONNECT_S,
            **parsed.sentinel_options,
        }
    return options


def broker_tls(url: str) -> dict[str, Any]:
    """Return Celery's TLS settings of a master behind Sentinels; of one server they stand in its URL."""
    parsed = _parsed(url)
    if parsed.topology is not Topology.SENTINEL or not parsed.tls:
        return {}
    return {"broker_use_ssl": {name: value for name, value in parsed.options.items() if name.startswith("ssl_")}}


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _parsed(url: str) -> RedisUrl:
    try:
        parsed = RedisUrl.parse(url)
    except ValueError as error:
        raise InvalidConfig("broker", str(error)) from None  # the cause may show a password
    if parsed.topology is Topology.CLUSTER:
        raise InvalidConfig("broker", "Celery has no broker for Redis Cluster: give one server, or Sentinels")
    return parsed
