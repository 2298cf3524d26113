"""Where a started session is reached: what a Pipecat runner answers to ``POST /start``. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from voicebackend.errors import InvalidFormat

_OP = "pipecat.start"
_ANYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104 - what a server listens on, which is no address to call
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Started:
    """A session's own websocket; both are secrets, good for one call."""

    url: str = field(repr=False)
    token: str | None = field(default=None, repr=False)


def started(answer: Any, start_url: str) -> Started:
    """Read the answer of ``start_url``.

    A runner names ``wss`` for any host but ``localhost``, though the port may speak plainly, and the host that it
    listens on, which may be all of them: what ``start_url`` says of the same server is known to be right.

    Raises:
        InvalidFormat: it names no websocket, or one without TLS though it was asked with.

    """
    url = answer.get("wsUrl") if isinstance(answer, dict) else None
    if not isinstance(url, str) or urlsplit(url).scheme not in {"ws", "wss"}:
        raise InvalidFormat(_OP, "start_url named no wsUrl: it must start bots for transport websocket")
    asked, named = urlsplit(start_url), urlsplit(url)
    host = asked.hostname if named.hostname in _ANYWHERE else named.hostname
    plain = asked.scheme == "http"
    scheme = "ws" if plain and (host, named.port) == (asked.hostname, asked.port) else named.scheme
    if scheme == "ws" and not plain and host not in _LOCAL:
        raise InvalidFormat(_OP, "start_url, asked over TLS, named a websocket without")
    shown = f"[{host}]" if ":" in (host or "") else host
    where = f"{shown}:{named.port}" if named.port else shown
    token = answer.get("token")
    url = urlunsplit((scheme, where or "", named.path, named.query, ""))
    return Started(url, token if isinstance(token, str) and token else None)
