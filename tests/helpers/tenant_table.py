"""What a stranger may ask of each route: one row an operation, so that a route that nobody thought of has none.

Of a row of ``THINGS`` both requests, for a tenant's thing and for one that never was, are sent by another tenant: no
difference may be seen. ``OWN`` have no id: nothing of another tenant's may be in them. ``EVERYONES`` are the
operator's.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SWAP, WORDS = {"provider": "mock"}, {"text": "hello"}
CONSENT = {"classes": ["audio"], "text_version": "1"}
MARK = "acme-canary"
"""In the user ids, names and metadata of the tenant whose things are asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """A route that is about one thing."""

    json: Mapping[str, Any] | None = None
    data: bytes | None = None
    query: Mapping[str, str] = field(default_factory=dict)
    owner: int = 200
    """How its owner is answered; 0 where it is not asked, for that would end it or wait for a worker."""


THINGS: Mapping[str, Thing] = {
    "sessions.get": Thing(),
    "sessions.update": Thing(json={"metadata": {"mark": MARK}}),
    "sessions.close": Thing(owner=0),
    "sessions.token": Thing(owner=201),
    "sessions.events": Thing(owner=0),
    "sessions.levels": Thing(owner=0),
    "sessions.audio": Thing(data=bytes(640), query={"sample_rate": "16000"}, owner=202),
    "sessions.swap": Thing(json=SWAP, owner=0),
    "sessions.text": Thing(json=WORDS, owner=0),
    "sessions.say": Thing(json=WORDS, owner=202),
    "sessions.transcript": Thing(owner=0),
    "sessions.transfer": Thing(json={"to": "+12025550111"}, owner=400),
    "sessions.consent": Thing(json=CONSENT),
    "records.list": Thing(),
    "records.read": Thing(),
    "links.issue": Thing(owner=201),
    "holds.lift": Thing(owner=0),
    "erasures.get": Thing(),
    "erasures.receipts": Thing(),
    "telephony.known": Thing(),
    "calls.get": Thing(),
    "calls.cancel": Thing(owner=0),
    "calls.consent": Thing(),
    "do_not_call.put": Thing(owner=0),
    "do_not_call.get": Thing(),
    "do_not_call.delete": Thing(owner=0),
    "api_keys.rotate": Thing(owner=0),
    "api_keys.revoke": Thing(owner=0),
    "webhooks.remove": Thing(owner=0),
    "webhooks.rotate": Thing(owner=0),
    "webhooks.again": Thing(owner=0),
}
OWN: Mapping[str, Mapping[str, Any] | None] = {
    "sessions.create": {"user_id": "u", "transport": "websocket", "agent": "demo"},
    "sessions.list": None,
    "providers.list": None,
    "holds.place": {"reason": "r", "everything": True},
    "holds.list": None,
    "erasures.ask": {"subject": f"{MARK}-user"},
    "exports.make": {"subject": f"{MARK}-user"},
    "audit.list": None,
    "telephony.report": None,
    "telephony.sip": {},
    "calls.create": {"to": "+12025550111", "trunk": "acme-line"},
    "calls.list": None,
    "api_keys.create": {"name": f"{MARK}-key"},
    "api_keys.list": None,
    "webhooks.add": {"url": "https://hooks.example.com/other", "events": []},
    "webhooks.list": None,
    "webhooks.undelivered": None,
}
"""With what is sent to it."""
EVERYONES = frozenset(
    {
        "config.get",
        "config.update",
        "routing.explain",
        "routing.show",
        "workers.list",
        "workers.drain",
        "queues.list",
        "retention.state",
    }
)
BY_TOKEN = frozenset({"sessions.media", "telephony.stream", "links.follow"})
"""Whoever has a token is let in, without a key."""
BY_SIGNATURE = frozenset({"telephony.call", "telephony.answered", "telephony.status", "telephony.back"})
"""Carriers' webhooks: they prove their trunk, which is a tenant's."""
NOBODYS = frozenset(
    {
        "webhooks.livekit",  # proves the deployment's own LiveKit server, which has every tenant's rooms
        "console.home",
        "console",
        "console.playground",
        "console.file",
        "health.live",
        "health.ready",
        "openapi",
    }
)
"""The same for everybody, and nothing of anybody in it."""

_SHAPES = {
    "call_id": lambda: secrets.token_hex(16),
    "number": lambda: "+1202555" + str(secrets.randbelow(9000) + 1000),
    "key_id": lambda: secrets.token_hex(8),
    "hold_id": lambda: secrets.token_hex(8),
}
_TIMES = re.compile(r"\d{10}\.\d+")


def never(parameter: str) -> str:
    """Return an id of this kind that never was."""
    return _SHAPES.get(parameter, lambda: secrets.token_hex(16))()


def told(status: int, headers: Mapping[str, str], body: str, id_: str) -> tuple[Any, ...]:
    """Return what can be seen of an answer, without the id that was asked for, and without times."""
    kept = {name: value for name, value in headers.items() if name not in {"Date", "Content-Length"}}
    return status, kept, _TIMES.sub("T", body.replace(id_, "ID"))
