"""Vonage's answer webhooks: JSON with a signed bearer token, answered with a call control object."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import ClassVar

from control.telephony import signatures
from control.telephony.carriers.carrier import HOLD_S, Incoming, Reply, Told, with_plus
from control.telephony.carriers.fields import UUID, call_id, said
from control.telephony.streams.carrier_socket import TOKEN
from voicebackend.errors import InvalidFormat
from voicebackend.strict_json import read_json

CONTENT_TYPE = "audio/l16;rate=16000"


class Vonage:
    """The secret is the account's signature secret."""

    name: ClassVar[str] = "vonage"

    def is_genuine(self, told: Told, secret: str, *, now: float) -> bool:
        """Tell whether the token is good and not older than five minutes, and the body the one that it is for."""
        return signatures.vonage(secret, told.headers.get("Authorization", ""), told.body, now=now)

    def once(self, told: Told) -> str:
        """Return nothing: signatures have a time."""
        del told
        return ""

    def incoming(self, told: Told) -> Incoming:
        """Return the call of ``uuid``, ``to`` and ``from``, as Vonage tells it or as we had it told again."""
        found = _of(told)
        called, caller = (with_plus(said(found.get(name))) for name in ("to", "from"))
        return Incoming(call_id=call_id(found.get("uuid"), UUID, "uuid", self.name), called=called, caller=caller)

    def connect(self, url: str, token: str) -> Reply:
        """Return a ``connect`` to a websocket, with the token among its headers."""
        endpoint = {"type": "websocket", "uri": url, "content-type": CONTENT_TYPE, "headers": {TOKEN: token}}
        return _actions([{"action": "connect", "endpoint": [endpoint]}])

    def refuse(self, code: int) -> Reply:
        """Return nothing to do: the call ends."""
        del code
        return _actions([])

    def hold(self, told: Told, url: str) -> Reply:
        """Return ``wait`` and ``notify``, whose answer is what the call does next; it has only what we say of it."""
        found = _of(told)
        payload = {name: said(found[name]) for name in ("uuid", "to", "from") if name in found}
        telling: dict[str, object] = {"action": "notify", "payload": payload, "eventUrl": [url], "eventMethod": "POST"}
        return _actions([{"action": "wait", "timeout": HOLD_S}, telling])


def _of(told: Told) -> Mapping[str, object]:
    """Return what a webhook says of its call; that of a ``notify`` has it as its payload."""
    try:
        found = read_json(told.body, op="incoming_call") if told.body else dict(told.form)
    except (ValueError, RecursionError):
        found = None
    if isinstance(found, dict) and isinstance(found.get("payload"), dict):
        found = found["payload"]
    if not isinstance(found, dict):
        raise InvalidFormat("incoming_call", "vonage: no JSON object")
    return found


def _actions(actions: list[dict[str, object]]) -> Reply:
    return Reply("application/json", json.dumps(actions).encode())
