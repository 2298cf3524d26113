"""Webhooks that a deployment sends: what they say, how they are signed, and how a receiver knows that they are genuine.

Needs the standard library only. A signature is ``t=<seconds since the epoch>,v1=<hex>``, with a second ``v1`` while a
secret is being replaced: HMAC-SHA256, by the secret, of the time, a dot and the body as it came.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from voicebackend.errors import AuthenticationFailed, InvalidFormat

SIGNATURE_HEADER = "Voicebackend-Signature"
TOLERANCE_S = 300
"""Seconds by which a webhook's time may differ from the receiver's clock."""
MAX_BODY = 64 * 1024
"""Bytes of a webhook at most."""
_OP = "webhook"


class EventType(StrEnum):
    """What is told of."""

    SESSION_STARTED = "session.started"
    """A session has its slot and is being started."""
    TURN_COMPLETED = "turn.completed"
    """An agent has answered a turn: ``data.turn``. Of agents that this deployment runs itself."""
    SESSION_ENDED = "session.ended"
    """A session is over, or never came to be: ``data.state`` is ``ended`` or ``failed``, ``data.reason`` says why."""
    TRANSCRIPT_READY = "transcript.ready"
    """The transcript that retention policies keep is written: ``data.records`` are its ids."""
    RECORDING_READY = "recording.ready"
    """A part of a recording is stored: ``data.records`` is its id. A long call has several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event. It may come twice, with the same ``id``, and later than one that happened after it."""

    id: str
    type: str
    """An ``EventType``; more may be added."""
    created_at: float
    """Seconds since the epoch."""
    tenant: str
    session_id: str
    data: Mapping[str, Any] = field(default_factory=dict)
    """Ids, states and numbers: never what was said."""

    def to_body(self) -> bytes:
        """Return the JSON that is sent and signed."""
        told = {name: getattr(self, name) for name in _FIELDS}
        return json.dumps({**told, "data": dict(self.data)}, separators=(",", ":")).encode()


_FIELDS: Mapping[str, type | tuple[type, ...]] = {
    "id": str,
    "type": str,
    "created_at": (int, float),
    "tenant": str,
    "session_id": str,
    "data": dict,
}


def sign(body: bytes, secrets: Iterable[str], at: int) -> str:
    """Return the signature of a body, sent ``at`` seconds since the epoch, by one secret or more."""
    return ",".join([f"t={at}", *(f"v1={_digest(body, secret, at)}" for secret in secrets)])


def verify(headers: Mapping[str, str], body: bytes, secrets: str | Sequence[str], *, now: float | None = None) -> Event:
    """Return the event of a request, if whoever sent it knows one of the secrets and signed it lately.

    ``headers`` are the request's, in any case; ``body`` its bytes as they came, before any parsing. Within 300 s the
    same request may be sent again by whoever overheard it: act on each ``Event.id`` once.

    Raises:
        AuthenticationFailed: it is not signed, not by any of the secrets, or not within 300 s of ``now``.
        InvalidFormat: it is genuine and no event.

    """
    known = [secrets] if isinstance(secrets, str) else list(secrets)
    if not known or not all(known):
        raise AuthenticationFailed(_OP, "give the endpoint's secret, which was shown when the endpoint was made")
    at, given = _parsed(_found(headers))
    if abs((time.time() if now is None else now) - at) > TOLERANCE_S:
        raise AuthenticationFailed(_OP, f"signed more than {TOLERANCE_S} s from now: is this machine's clock right?")
    matches = [hmac.compare_digest(_digest(body, secret, at), one) for secret in known for one in given]
    if not any(matches):
        raise AuthenticationFailed(_OP, "the signature is not good")
    return _read(body)


def _digest(body: bytes, secret: str, at: int) -> str:
    return hmac.new(secret.encode(), b"%d." % at + body, hashlib.sha256).hexdigest()


def _found(headers: Mapping[str, str]) -> str:
    for name, value in headers.items():
        if str(name).lower() == SIGNATURE_HEADER.lower():
            return str(value)
    raise AuthenticationFailed(_OP, f"the header {SIGNATURE_HEADER} is missing")


def _parsed(header: str) -> tuple[int, list[str]]:
    """Return a signature's time and digests, at most eight of them."""
    parts = [part.strip().partition("=") for part in header.split(",")[:9]]
    times = [value for name, _, value in parts if name == "t"]
    given = [value for name, _, value in parts if name == "v1" and value.isascii()]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdecimal() and len(times[0]) < 12) or not given:  # noqa: PLR2004 - digits
        raise AuthenticationFailed(_OP, f"the header {SIGNATURE_HEADER} is no signature")
    return int(times[0]), given


def _read(body: bytes) -> Event:
    try:
        told = json.loads(body)
        values = {name: told[name] for name in _FIELDS}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidFormat(_OP, "the body is no event") from error
    if any(not isinstance(values[name], kind) for name, kind in _FIELDS.items()):
        raise InvalidFormat(_OP, "the body is no event")
    return Event(**values)
