"""What a carrier says over a call's websocket, whatever its dialect."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from voicebackend.codecs import Encoding


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The stream begins."""

    stream: str
    """The carrier's id of it."""
    call: str
    """The carrier's id of the call."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """What we had told the carrier to send along."""
    encoding: Encoding
    sample_rate: int
    """Hz."""


@dataclass(frozen=True, slots=True)
class Audio:
    """The caller's."""

    payload: bytes
    chunk: int | None = None
    """Its number, where the carrier does not keep the order."""


@dataclass(frozen=True, slots=True)
class Pressed:
    """A key."""

    digit: str


@dataclass(frozen=True, slots=True)
class Marked:
    """All audio before a mark was played, or the mark was cleared with it."""

    name: str


@dataclass(frozen=True, slots=True)
class Closed:
    """The carrier ends the stream: the caller has hung up, or the call goes elsewhere."""


StreamEvent = Opened | Audio | Pressed | Marked | Closed
