"""The wire format between processes: every Redis key, and the binary codec of what the streams carry.

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
    """A key; JSON ``{digit}``."""
    PLAY = 8
    """Audio from the application to the caller: 16 kHz PCM."""
    HOLD = 9
    """The caller is put on hold, or taken off it; JSON ``{on}``."""
    AGENT_STARTED = 16
    """An agent's task claimed (``turn``, ``attempt``)."""
    AGENT_DELTA = 17
    """UTF-8 text of ``turn``; ``seq`` counts up from 0 within (``turn``, ``attempt``)."""
    AGENT_DONE = 18
    """The agent finished; ``seq`` is the number of deltas."""
    AGENT_FAILED = 19
    """The agent failed; JSON ``{code, message}``."""
    AUDIO_OUT = 32
    """Agent audio at the caller's rate; ``turn``, and ``seq`` counting up within the epoch."""
    EVENT = 33
    """A text message for the caller, as JSON; control of playout (clear, pause, ...) included."""
    CALL = 64
    """A call to an object in another process; see ``voicebackend.remote``."""
    RESULT = 65
    """The answer to a call."""


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
            InvalidFormat: it is not a JSON object.

        """
        try:
            data = json.loads(self.payload)
        except ValueError as error:
            raise InvalidFormat("frame", f"{self.kind.name}: payload is not JSON") from error
        if not isinstance(data, dict):
            raise InvalidFormat("frame", f"{self.kind.name}: payload is not a JSON object")
        return data


def json_payload(data: Mapping[str, Any]) -> bytes:
    """Encode a control frame's payload."""
    return json.dumps(data, separators=(",", ":")).encode()


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
            frames.append(Frame(session.hex(), _KINDS[kind], payload, turn, seq, attempt, attachment, epoch, time_ms))
        at += length
    if at != len(data):
        raise InvalidFormat("decode", "bundle has trailing bytes")
    return frames


_KINDS = {int(kind): kind for kind in Kind}


class Keys:
    """Every Redis key, by what it holds. One lane's keys share a hash tag: Redis Cluster keeps them together."""

    def __init__(self, prefix: str = "vb") -> None:
        self.prefix = prefix

    def lane(self, lane: int) -> str:
        """In ``audio``: stream of everything addressed to the lane's sessions."""
        return f"{self.prefix}:{{lane:{lane}}}:in"

    def lane_epoch(self, lane: int) -> str:
        """In ``audio``: the lane's epoch, for fencing next to the stream."""
        return f"{self.prefix}:{{lane:{lane}}}:epoch"

    def inbox(self, owner: str) -> str:
        """In ``audio``: stream of what goes to one gateway's callers, or of calls to one process."""
        return f"{self.prefix}:inbox:{owner}"

    def lease(self, lane: int) -> str:
        """In ``state``: ``worker:epoch`` of who holds the lane."""
        return f"{self.prefix}:lease:{lane}"

    def last_epoch(self) -> str:
        """In ``state``: hash of the last epoch issued for each lane. Permanent."""
        return f"{self.prefix}:epochs"

    def lane_sessions(self, lane: int) -> str:
        """In ``state``: set of the sessions that have a slot in the lane."""
        return f"{self.prefix}:lane:{lane}:sessions"

    def worker(self, worker: str) -> str:
        """In ``state``: hash of what a worker announces; disappears with it."""
        return f"{self.prefix}:worker:{worker}"

    def workers(self) -> str:
        """In ``state``: sorted set of workers by when they were last seen."""
        return f"{self.prefix}:workers"

    def config(self) -> str:
        """In ``state``: hash ``{version, config}`` of a configuration given by ``update_config``."""
        return f"{self.prefix}:config"

    def session(self, session: str) -> str:
        """In ``state``: hash, the session's record."""
        return f"{self.prefix}:session:{session}"

    def session_log(self, session: str) -> str:
        """In ``state``: stream of the session's events, oldest first; the lane's holder appends it."""
        return f"{self.prefix}:session:{session}:log"

    def turn(self, session: str, turn: int) -> str:
        """In ``state``: hash of a turn's attempts: by the worker ``current``, ``said``, ``committed``, ``cancelled``.

        By the task ``claimed`` and ``once:<key>``. ``said`` is what the current attempt is to answer.
        """
        return f"{self.prefix}:session:{session}:turn:{turn}"

    def sessions(self, tenant: str) -> str:
        """In ``state``: sorted set of a tenant's sessions by when they were created."""
        return f"{self.prefix}:tenant:{tenant}:sessions"

    def live_sessions(self) -> str:
        """In ``state``: sorted set of the sessions that are not over, by when the reaper looks at them."""
        return f"{self.prefix}:live"

    def used_token(self, token_id: str) -> str:
        """In ``state``: present while a token that was used could still be replayed."""
        return f"{self.prefix}:used:{token_id}"

    def token_secret(self) -> str:
        """In ``state``: the key that signs tokens, where the deployment gives none. Permanent."""
        return f"{self.prefix}:token-secret"

    def resume(self, session: str) -> str:
        """In ``state``: id of the one resume token that is good now."""
        return f"{self.prefix}:session:{session}:resume"

    def leader(self, role: str) -> str:
        """In ``state``: the process that leads in this role."""
        return f"{self.prefix}:leader:{role}"

    def dead_letters(self) -> str:
        """In ``state``: stream of tasks that were given up, with the reason; capped. Permanent."""
        return f"{self.prefix}:dead-letters"

    def permanent(self) -> frozenset[str]:
        """Return the keys that may live without a time to live."""
        return frozenset({self.last_epoch(), self.token_secret(), self.dead_letters()})
