"""A session's checkpoint: what another worker needs to go on with it, as bytes. JSON, versioned, kilobytes at most."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Annotated, Literal, Self

from pydantic import Base64Bytes, Field, TypeAdapter, ValidationError

from voicebackend.errors import InvalidFormat
from voicebackend.streams import EntryId
from worker.pipelines.snapshot import DialogueSnapshot

MAX_BYTES = 256 * 1024
"""Of one checkpoint that is read."""


_START = EntryId()


@dataclass(frozen=True, slots=True, kw_only=True)
class AttachmentSnapshot:
    """The caller's socket, or stay in a room."""

    id: int
    inbox: str
    sample_rate: Annotated[int, Field(gt=0)]
    """Hz."""
    heard: tuple[int, float] = (0, 0.0)
    """In a room, which goes with its worker: a turn, and the milliseconds of it that were heard."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSnapshot:
    """A session at one moment."""

    version: Literal[1]
    position: EntryId = _START
    """The lane's last entry that was handled."""
    replay_from: EntryId = _START
    """The lane's first entry with audio that must be heard again; ``position`` if there is none."""
    clock_ms: float = 0.0
    """Wall clock at zero of the loop's clock: brings moments to another process's clock."""
    log_position: EntryId = _START
    """The session log's last entry that was written."""
    attachment: AttachmentSnapshot | None = None
    audio_seq: int = 0
    """Audio of the attachment up to this number is not heard again."""
    heard_seq: int = 0
    """Up to this one it was given to the ear."""
    deadline: float | None = None
    """When the session ends if no caller comes; seconds of the loop's clock."""
    reported: str = ""
    """The state that the log was told last."""
    usage: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    """What was used by then, as ``Meter`` counts it."""
    frames: Base64Bytes = b""
    """A bundle of control frames that came and were not handled yet."""
    dialogue: DialogueSnapshot | None = None
    """None before the pipeline was open."""

    def shifted(self, seconds: float) -> Self:
        """Return it with its moments so much later: on another process's clock."""
        deadline = None if self.deadline is None else self.deadline + seconds
        dialogue = None if self.dialogue is None else self.dialogue.shifted(seconds)
        return replace(self, deadline=deadline, dialogue=dialogue)


_CODEC = TypeAdapter(SessionSnapshot)


def encode(snapshot: SessionSnapshot) -> bytes:
    """Return a checkpoint's bytes."""
    return _CODEC.dump_json(snapshot, exclude_defaults=True)


def decode(raw: bytes) -> SessionSnapshot:
    """Read a checkpoint.

    Raises:
        InvalidFormat: it is none, or of a version that this worker does not know.

    """
    if len(raw) > MAX_BYTES:
        raise InvalidFormat("checkpoint", f"a checkpoint has at most {MAX_BYTES} bytes")
    try:
        return _CODEC.validate_json(raw)
    except ValidationError as error:
        raise InvalidFormat("checkpoint", "not a checkpoint that this worker can read") from error


def replay_from(raw: bytes) -> EntryId:
    """Return the lane's first entry that this session must be given again; raises InvalidFormat."""
    return decode(raw).replay_from
