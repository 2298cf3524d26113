"""Webhooks for a call, as each carrier signs and sends them, and what our answers tell it."""

from __future__ import annotations

import asyncio
import hmac
import json
import time
import uuid
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from urllib.parse import urlencode
from xml.etree import ElementTree

import aiohttp
import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

TOKEN = "0123456789abcdef0123456789abcdef"
CALLER, CALLED = "12025550111", "14155559999"
OK = 200
_FORM = "application/x-www-form-urlencoded"
_KEY = Ed25519PrivateKey.from_private_bytes(b"\x11" * 32)
SECRETS = {
    "twilio": TOKEN,
    "plivo": TOKEN,
    "vonage": TOKEN,
    "telnyx": b64encode(_KEY.public_key().public_bytes_raw()).decode(),
}
"""Of each carrier's trunk."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """One, as it is sent."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    carrier: str = ""
    call: str = ""

    def unsigned(self) -> Webhook:
        """Return it without its signature."""
        kept = {name: value for name, value in self.headers.items() if name == "Content-Type"}
        return Webhook(self.body, kept)

    def altered(self) -> Webhook:
        """Return it with another caller than was signed."""
        return Webhook(self.body.replace(CALLER.encode(), b"12025550199"), self.headers)


def webhook(carrier: str, url: str, call: str, *, at: float | None = None) -> Webhook:
    """Return what a carrier sends to a URL for a call; ``at``: when it was signed, where signatures have a time."""
    at = time.time() if at is None else at
    match carrier:
        case "twilio":
            made = _twilio(url, call)
        case "telnyx":
            made = _telnyx(call, at)
        case "plivo":
            made = _plivo(url, call)
        case _:
            told = {"uuid": _uuid(call), "from": CALLER, "to": CALLED}
            made = _vonage(told, at)
    return replace(made, carrier=carrier, call=call)


def _twilio(url: str, call: str) -> Webhook:
    sid = "CA" + sha256(call.encode()).hexdigest()[:32]
    return twilio_form(url, {"CallSid": sid, "From": f"+{CALLER}", "To": f"+{CALLED}", "Direction": "inbound"})


def twilio_form(url: str, form: Mapping[str, str]) -> Webhook:
    """Return a webhook of Twilio's that says this."""
    signed = url + "".join(name + form[name] for name in sorted(form))
    signature = b64encode(hmac.digest(TOKEN.encode(), signed.encode(), "sha1")).decode()
    return Webhook(urlencode(form).encode(), {"X-Twilio-Signature": signature, "Content-Type": _FORM})


def _telnyx(call: str, at: float) -> Webhook:
    body = urlencode({"CallSid": f"v3:{call}", "From": f"+{CALLER}", "To": f"+{CALLED}"}).encode()
    signature = b64encode(_KEY.sign(f"{at:.0f}|".encode() + body)).decode()
    headers = {"telnyx-signature-ed25519": signature, "telnyx-timestamp": f"{at:.0f}", "Content-Type": _FORM}
    return Webhook(body, headers)


def _plivo(url: str, call: str) -> Webhook:
    form = {"CallUUID": _uuid(call), "From": CALLER, "To": CALLED}
    signed = f"{url}{'.' if '?' in url else '?'}{''.join(name + form[name] for name in sorted(form))}.nonce-{call}"
    signature = b64encode(hmac.digest(TOKEN.encode(), signed.encode(), "sha256")).decode()
    headers = {"X-Plivo-Signature-V3": f"another,{signature}", "X-Plivo-Signature-V3-Nonce": f"nonce-{call}"}
    return Webhook(urlencode(form).encode(), {**headers, "Content-Type": _FORM})


def _vonage(told: Mapping[str, object], at: float) -> Webhook:
    body = json.dumps(told).encode()
    claims = {"iat": int(at), "payload_hash": sha256(body).hexdigest(), "jti": str(uuid.uuid4())}
    bearer = jwt.encode(claims, TOKEN, algorithm="HS256")
    return Webhook(body, {"Authorization": f"Bearer {bearer}", "Content-Type": "application/json"})


def _uuid(call: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, call))


async def posted(http: aiohttp.ClientSession, url: str, one: Webhook) -> tuple[int, str]:
    """Send a webhook once; return status and body."""
    async with http.post(url, data=one.body, headers=one.headers) as answer:
        return answer.status, await answer.text()


async def answered(http: aiohttp.ClientSession, url: str, one: Webhook) -> tuple[int, str]:
    """Send a webhook, and again as often as we are told to wait; return status and body of the answer after that."""
    status, answer = await posted(http, url, one)
    while status == OK and (again := hold_of(one.carrier, answer)) is not None:
        await asyncio.sleep(again.wait_s)
        status, answer = await posted(http, again.url, again.webhook(one))
    return status, answer


@dataclass(frozen=True, slots=True)
class Hold:
    """What a carrier is to do that is told to wait."""

    wait_s: float
    url: str
    payload: Mapping[str, str] | None = None
    """What it is to tell then, where it tells nothing of its own."""

    def webhook(self, before: Webhook) -> Webhook:
        """Return the webhook that it sends then."""
        if self.payload is None:
            return webhook(before.carrier, self.url, before.call)
        told = {"payload": self.payload, "conversation_uuid": "CON-1", "timestamp": "2026-11-23T08:00:00.000Z"}
        return replace(_vonage(told, time.time()), carrier=before.carrier, call=before.call)


def hold_of(carrier: str, answer: str) -> Hold | None:
    """Return what a carrier is to do that is told to wait; None if it is not."""
    if carrier == "vonage":
        actions = {action["action"]: action for action in json.loads(answer)}
        notify = actions.get("notify")
        return notify and Hold(actions["wait"]["timeout"], notify["eventUrl"][0], notify["payload"])
    root = ElementTree.fromstring(answer)  # noqa: S314 - our own
    wait = root.find("Wait" if carrier == "plivo" else "Pause")
    return None if wait is None else Hold(float(wait.attrib["length"]), root.findtext("Redirect") or "")


def stream_of(carrier: str, answer: str) -> tuple[str, str]:
    """Return the address and the token of the stream that an answer asks for."""
    if carrier == "vonage":
        [endpoint] = json.loads(answer)[0]["endpoint"]
        return endpoint["uri"], endpoint["headers"]["token"]
    root = ElementTree.fromstring(answer)  # noqa: S314 - our own
    if carrier == "plivo":
        stream = root.find("Stream")
        assert stream is not None, answer
        return stream.text or "", stream.attrib["extraHeaders"].removeprefix("token=")
    stream, parameter = root.find("Connect/Stream"), root.find("Connect/Stream/Parameter")
    assert stream is not None, answer
    assert parameter is not None, answer
    assert "?" not in stream.attrib["url"], answer
    return stream.attrib["url"], parameter.attrib["value"]
