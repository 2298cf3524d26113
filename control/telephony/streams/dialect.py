"""A carrier's way to speak over a websocket: messages in, events out; audio, marks and clearing in, messages out."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from typing import Any, ClassVar

from control.telephony.streams.pieces import Sizes
from control.telephony.streams.stream_events import Pressed, StreamEvent
from voicebackend.errors import InvalidFormat
from voicebackend.strict_json import read_json

MAX_MESSAGE_BYTES = 16 * 1024
"""Of a message: 20 ms of audio take 300."""
_KEYS = frozenset("0123456789*#ABCD")

Json = Mapping[str, Any]
Event = StreamEvent | None
"""None is what we need not know of."""


class Dialect:
    """One call's stream; ``read`` what comes, send what ``audio``, ``mark`` and ``clear`` return."""

    name: ClassVar[str]

    def __init__(self) -> None:
        self.stream = ""
        """The carrier's id of the stream, once it is open."""

    def read(self, message: str | bytes) -> Event:
        """Return what a message says, None for what is of no concern here.

        Raises:
            InvalidFormat: it is not of this dialect, or a name stands twice in an object.

        """
        if len(message) > MAX_MESSAGE_BYTES:
            raise InvalidFormat("media_stream", f"a message is longer than {MAX_MESSAGE_BYTES} bytes")
        if isinstance(message, bytes):
            return self._binary(message)
        try:
            told = read_json(message, op="media_stream")
        except (ValueError, RecursionError):
            told = None
        if not isinstance(told, dict):
            raise InvalidFormat("media_stream", "a message is no JSON object")
        try:
            return self._event(told)
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise InvalidFormat("media_stream", f"{self.name}: a message lacks what it must have") from error

    def sizes(self, sample_rate: int) -> Sizes:
        """Return what it takes in one message, at a rate in Hz: anything, if a dialect does not say."""
        del sample_rate
        return Sizes()

    def audio(self, payload: bytes) -> str | bytes:
        """Return the message that plays encoded audio."""
        raise NotImplementedError

    def mark(self, name: str) -> str:
        """Return the message after which the carrier tells when all audio before it was played."""
        raise NotImplementedError

    def clear(self) -> str:
        """Return the message that drops what was sent and not yet played."""
        raise NotImplementedError

    def _event(self, told: Json) -> Event:
        """Return what a text says."""
        raise NotImplementedError

    def _binary(self, message: bytes) -> Event:
        raise InvalidFormat("media_stream", f"{self.name}: sends no binary messages")


def decoded(payload: str) -> bytes:
    """Return base64 as bytes; ValueError for anything else, also for what a lenient reader passes over."""
    return b64decode(payload, validate=True)


def encoded(payload: bytes) -> str:
    """Return bytes as base64."""
    return b64encode(payload).decode()


def compact(message: Json) -> str:
    """Return JSON without blanks."""
    return json.dumps(message, separators=(",", ":"))


def texts(found: object) -> dict[str, str]:
    """Return those of a carrier's parameters that are texts."""
    return (
        {str(key): value for key, value in found.items() if isinstance(value, str)} if isinstance(found, dict) else {}
    )


def pressed(told: Json) -> Event:
    """Return a key from ``dtmf.digit``; carriers also send keys that no telephone has."""
    digit = str(told["dtmf"]["digit"]).upper()
    return Pressed(digit) if digit in _KEYS else None
