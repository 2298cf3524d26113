"""The wire format between processes: the binary codec of what the streams carry.

Pure: no Redis, no clock. A stream entry has one field, ``b``, holding a *bundle*: a header and the frames of all
sessions that had something for that stream within the flush time. All integers are little-endian; the tables stand in
this package's README.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping
from enum import IntEnum
from typing import Any, NamedTuple

from voicebackend.errors import InvalidFormat
from voicebackend.strict_json import read_json

VERSION = 1
FIELD = b"b"
"""The one field of every entry."""
MAX_PAYLOAD = 64 * 1024
"""Bytes in one frame's payload."""
MAX_FRAMES = 1024
"""Frames in one bundle."""
MAX_BUNDLE = 1024 * 1024
"""Bytes in one bundle."""
LANE_WINDOW_S = 10.0
"""Seconds of a lane that are kept, so that a takeover can replay them."""
INBOX_WINDOW_S = 2.0
"""Seconds of an inbox that are kept."""
STREAM_TTL_S = 60
"""Seconds after which a stream without an owner disappears."""
NO_SESSION = "0" * 32
"""In frames that belong to no session."""

_MAX_ID = 41
"""Characters in an entry's id: two numbers of 64 bits."""
_HEADER = struct.Struct("<BH")
_FRAME = struct.Struct("<16sBBIIIQQI")


class Kind(IntEnum):
    """What a frame is. Below 32: to a lane. 32 to 63: to a gateway's inbox. From 64: calls between processes."""

    AUDIO_IN = 1
    """Caller audio: 16 kHz PCM, at most 20 ms; ``seq`` counts up within its ``attachment``."""
    START = 2
    """A session was placed in this lane; JSON ``{traceparent}``. A hint: the record in ``state`` counts."""
    CLOSE = 3
    """End the session; JSON ``{reason}``."""
    ATTACH = 4
    """The caller's socket of ``attachment`` is open; JSON ``{inbox, sample_rate, traceparent}``."""
    DETACH = 5
    """That socket is gone; JSON ``{stopped}``."""
    PLAYED = 6
    """Playout acknowledgement; JSON ``{ms}`` of ``turn``; ``{final}`` where a pause or clear has stopped it."""
    DTMF = 7
    """A key; JSON ``{sealed}``, see ``voicebackend.sealing``; ``{masked}`` once it came in sensitive mode."""
    PLAY = 8
    """Audio from the application to the caller: 16 kHz PCM."""
    HOLD = 9
    """The caller is put on hold, or taken off it; JSON ``{on}``."""
    PLAYOUT = 10
    """How far playout is, answering ``ADOPT``; JSON ``{turn, received_ms, played_ms, paused, sample_rate, inbox}``."""
    SWAP = 11
    """Change the session's provider or engines; JSON ``{id}`` and what a ``SwapRequest`` names."""
    TEXT = 12
    """What the caller typed, UTF-8."""
    SAY = 13
    """Words for the caller; JSON ``{text, end}``: with ``end``, a reason, the session ends once they were heard."""
    AGENT_STARTED = 16
    """An agent's task claimed (``turn``, ``attempt``)."""
    AGENT_DELTA = 17
    """UTF-8 text of ``turn``; ``seq`` counts up from 0 within (``turn``, ``attempt``)."""
    AGENT_DONE = 18
    """The agent finished; ``seq`` is the number of deltas."""
    AGENT_FAILED = 19
    """The agent failed; JSON ``{code, message}``."""
    AGENT_COLLECT = 20
    """The agent asks for keys; JSON of a ``CollectDigits``."""
    AUDIO_OUT = 32
    """Agent audio at the caller's rate; ``turn``, and ``seq`` counting up within the epoch."""
    EVENT = 33
    """A text message for the caller, as JSON; control of playout (clear, pause, ...) included."""
    ADOPT = 34
    """A new holder of the lane speaks for this session: tell it how far playout is; JSON ``{}``."""
    CALL = 64
    """A call to an object in another process; see ``voicebackend.remote``."""
    RESULT = 65
    """The answer to a call."""


class EntryId(NamedTuple):
    """Where an entry stands in its stream: ids are in order as tuples are."""

    ms: int = 0
    """Redis's clock when it was added, milliseconds since the epoch."""
    seq: int = 0

    @classmethod
    def parse(cls, raw: bytes | str) -> EntryId:
        """Read ``ms-seq``; raises InvalidFormat."""
        text = raw.decode("ascii", "replace") if isinstance(raw, bytes) else raw
        ms, _, seq = text.partition("-")
        if not (text.isascii() and ms.isdecimal() and seq.isdecimal() and len(text) <= _MAX_ID):
            raise InvalidFormat("entry_id", "an entry's id is two numbers with a dash between them")
        return cls(int(ms), int(seq))

    def __str__(self) -> str:
        return f"{self.ms}-{self.seq}"


class Entry(NamedTuple):
    """What one stream entry held."""

    id: EntryId
    frames: list[Frame]
    """In the order in which they were sent; empty where it was no valid bundle."""


class Frame(NamedTuple):
    """One thing said to one session. A tuple, because thousands a second are made: give its fields by name."""

    session: str
    """32 hexadecimal digits."""
    kind: Kind
    payload: bytes = b""
    turn: int = 0
    """The turn it belongs to; 32 bits."""
    seq: int = 0
    """Its place among frames of its sender; 32 bits."""
    attempt: int = 0
    """The attempt at the turn; 8 bits."""
    attachment: int = 0
    """The caller's socket that it comes from or is for; 32 bits, 0 for none."""
    epoch: int = 0
    """The lane lease under which it was sent; 64 bits, 0 from senders without a lease."""
    time_ms: int = 0
    """Wall clock of the sender, milliseconds since the epoch."""

    def json(self) -> dict[str, Any]:
        """Return the payload as a mapping.

        Raises:
            InvalidFormat: it is not a JSON object, or a name stands twice in one.

        """
        try:
            data = read_json(self.payload, op="frame")
        except (ValueError, RecursionError) as error:
            raise InvalidFormat("frame", f"{self.kind.name}: payload is not JSON") from error
        if not isinstance(data, dict):
            raise InvalidFormat("frame", f"{self.kind.name}: payload is not a JSON object")
        return data


_encode_json = json.JSONEncoder(separators=(",", ":")).encode
"""Made once: ``json.dumps`` would make an encoder for each of some thousand frames a second."""


def json_payload(data: Mapping[str, Any]) -> bytes:
    """Encode a control frame's payload."""
    return _encode_json(data).encode()


def encode_bundle(frames: Iterable[Frame]) -> bytes:
    """Encode frames into one entry's field.

    Raises:
        InvalidFormat: more than MAX_FRAMES or MAX_BUNDLE, or a frame out of its bounds.

    """
    parts = [b""]
    for frame in frames:
        if len(frame.payload) > MAX_PAYLOAD:
            raise InvalidFormat("encode", f"a payload has at most {MAX_PAYLOAD} bytes")
        try:
            parts.append(
                _FRAME.pack(
                    bytes.fromhex(frame.session),
                    frame.kind,
                    frame.attempt,
                    frame.turn,
                    frame.seq,
                    frame.attachment,
                    frame.epoch,
                    frame.time_ms,
                    len(frame.payload),
                )
            )
        except (struct.error, ValueError) as error:
            raise InvalidFormat("encode", f"{frame.kind!r}: a field is out of range") from error
        parts.append(frame.payload)
    count = len(parts) // 2
    if count > MAX_FRAMES:
        raise InvalidFormat("encode", f"a bundle has at most {MAX_FRAMES} frames")
    parts[0] = _HEADER.pack(VERSION, count)
    bundle = b"".join(parts)
    if len(bundle) > MAX_BUNDLE:
        raise InvalidFormat("encode", f"a bundle has at most {MAX_BUNDLE} bytes")
    return bundle


def decode_bundle(data: bytes) -> list[Frame]:
    """Decode one entry's field; frames of an unknown kind are left out, for senders newer than we are.

    Raises:
        InvalidFormat: another version, truncated, trailing bytes, or over the bounds.

    """
    if len(data) < _HEADER.size or len(data) > MAX_BUNDLE:
        raise InvalidFormat("decode", "bundle too short or too long")
    version, count = _HEADER.unpack_from(data)
    if version != VERSION or count > MAX_FRAMES:
        raise InvalidFormat("decode", f"bundle version {version} with {count} frames is not accepted")
    frames, at = [], _HEADER.size
    for _ in range(count):
        if at + _FRAME.size > len(data):
            raise InvalidFormat("decode", "bundle is truncated")
        session, kind, attempt, turn, seq, attachment, epoch, time_ms, length = _FRAME.unpack_from(data, at)
        at += _FRAME.size
        if length > MAX_PAYLOAD or at + length > len(data):
            raise InvalidFormat("decode", "payload is too long or truncated")
        if kind in _KINDS:
            payload = data[at : at + length]
            fields = (session.hex(), _KINDS[kind], payload, turn, seq, attempt, attachment, epoch, time_ms)
            frames.append(_new(Frame, fields))
        at += length
    if at != len(data):
        raise InvalidFormat("decode", "bundle has trailing bytes")
    return frames


_KINDS = {int(kind): kind for kind in Kind}
_new = tuple.__new__
"""What ``Frame(...)`` comes to, at a third of its price."""
