"""The payload of CALL and RESULT frames: a JSON header, then the raw bytes of those values that are bytes.

Pure. ``u32`` length of the header, the header, the bytes one after another. Every value carries its kind, so that
the other side gets the type that was sent: plain JSON, bytes, a duration, an AuthResult or a Turn.
"""

from __future__ import annotations

import dataclasses
import json
import re
import struct
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Self
from urllib.parse import parse_qs, urlencode

from voicebackend.agents import HistoryEntry, Message, Turn
from voicebackend.digits import Digits, KeysEnd
from voicebackend.errors import InvalidConfig, InvalidFormat
from voicebackend.hooks import AuthResult
from voicebackend.streams import MAX_PAYLOAD, NO_SESSION, Frame, Kind

PREFIX = "remote:"
"""Begins every reference to an object in another process."""
_LENGTH = struct.Struct("<I")
_ORDER = re.compile(r"-?[0-9]{1,9}")
_UNREADABLE = (struct.error, ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError)
_SAID: Mapping[str, type[Any]] = {"history": HistoryEntry, "messages": Message}
"""The fields of a turn that are tuples of such."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Names an object elsewhere: ``remote:<owner>:<object id>``, with ``?name=…&order=…&stages=…`` if it has them."""

    owner: str
    """Whose inbox takes the calls."""
    object_id: str
    name: str = ""
    order: int = 0
    stages: tuple[str, ...] = ()
    """All three of an AudioProcessor, told once instead of asked for; no stages are all."""

    def __str__(self) -> str:
        told = {"name": self.name, "order": self.order} | ({"stages": " ".join(self.stages)} if self.stages else {})
        return f"{PREFIX}{self.owner}:{self.object_id}{f'?{urlencode(told)}' if self.name else ''}"

    @classmethod
    def parse(cls, text: str, *, field: str) -> Self:
        """Read a reference.

        Raises:
            InvalidConfig: it is none; the details name the field.

        """
        path, _, query = text.removeprefix(PREFIX).partition("?")
        owner, _, object_id = path.partition(":")
        told = {name: values[0] for name, values in parse_qs(query).items()}
        order = told.get("order", "0")
        if not (text.startswith(PREFIX) and owner and object_id and _ORDER.fullmatch(order)):
            raise InvalidConfig("remote", f"{field}: not a reference to an object", details={"field": field})
        stages = tuple(told.get("stages", "").split())
        return cls(owner=owner, object_id=object_id, name=told.get("name", ""), order=int(order), stages=stages)


def encode(header: Mapping[str, Any], values: Sequence[Any] = ()) -> bytes:
    """Return a payload.

    Raises:
        InvalidFormat: a value is of a type that does not travel, or all of it is longer than MAX_PAYLOAD.

    """
    raw = b"".join(bytes(value) for value in values if isinstance(value, (bytes, bytearray)))
    try:
        text = json.dumps({**header, "values": [_pack(value) for value in values]}, separators=(",", ":")).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidFormat("call", f"a value cannot go to another process: {type(error).__name__}") from error
    payload = _LENGTH.pack(len(text)) + text + raw
    if len(payload) > MAX_PAYLOAD:
        raise InvalidFormat("call", f"arguments and results have at most {MAX_PAYLOAD} bytes")
    return payload


def decode(payload: bytes) -> tuple[dict[str, Any], list[Any]]:
    """Return a payload's header and values.

    Raises:
        InvalidFormat: it is no such payload.

    """
    try:
        (length,) = _LENGTH.unpack_from(payload)
        header = json.loads(payload[_LENGTH.size : _LENGTH.size + length])
        raw = payload[_LENGTH.size + length :]
        values = []
        for kind, packed in header.pop("values"):
            values.append(raw[:packed] if kind == "bytes" else _READERS[kind](packed))
            raw = raw[packed:] if kind == "bytes" else raw
    except _UNREADABLE as error:
        raise InvalidFormat("call", "not the payload of a call or result") from error
    return header, values


def _pack(value: Any) -> tuple[str, Any]:
    match value:
        case bytes() | bytearray():
            return "bytes", len(value)
        case timedelta():
            return "seconds", value.total_seconds()
        case AuthResult():
            fields = ("user_id", "authorized", "tenant", "metadata")
            return "auth", {name: _plain(getattr(value, name)) for name in fields}
        case Turn():
            plain = {item.name: getattr(value, item.name) for item in dataclasses.fields(value)}
            del plain["audio"]  # it goes before, piece by piece
            said = {name: [dataclasses.asdict(entry) for entry in getattr(value, name)] for name in _SAID}
            own = {
                "once": None,
                "keypad": None,
                "operator": None,
                "notary": None,
                "notes": None,
                "digits": None if value.digits is None else _digits(value.digits),
            }
            return "turn", {**plain, **own, **said, "metadata": _plain(value.metadata)}
        case _:
            return "json", _plain(value)


def _plain(value: Any) -> Any:
    """Return any mapping as the dict that JSON takes."""
    return dict(value) if isinstance(value, Mapping) else value


def _digits(digits: Digits) -> dict[str, Any]:
    """Return what goes to another process: what is sensitive stays sealed."""
    plain = {name: getattr(digits, name) for name in ("count", "value", "sensitive", "sealed")}
    return {**plain, "ended": str(digits.ended)}


def _turn(fields: dict[str, Any]) -> Turn:
    del fields["once"], fields["keypad"], fields["operator"]
    for name in ("notary", "notes"):  # which an older release does not know
        fields.pop(name, None)
    digits = fields.pop("digits", None)
    if digits is not None:
        fields["digits"] = Digits(**{**digits, "ended": KeysEnd(digits["ended"])})
    for name, kind in _SAID.items():
        fields[name] = tuple(kind(**entry) for entry in fields.get(name, ()))
    return Turn(**{**fields, "context": tuple(fields.get("context", ()))})


_READERS: Mapping[str, Any] = {
    "json": lambda value: value,
    "seconds": lambda value: timedelta(seconds=value),
    "auth": lambda fields: AuthResult(**fields),
    "turn": _turn,
}


def call_frame(kind: Kind, number: int, payload: bytes) -> Frame:
    """Return the frame of a call or of a result; ``number`` is the call's."""
    return Frame(session=NO_SESSION, kind=kind, seq=number, payload=payload, time_ms=round(time.time() * 1000))
