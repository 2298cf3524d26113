"""The protobuf messages that Pipecat's websockets carry, described here: no generated code, nothing to compile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from google.protobuf.descriptor_pb2 import FileDescriptorProto

_PACKAGE = "pipecat"
_FIELDS: Mapping[str, Sequence[tuple[int, str, str]]] = {
    "TextFrame": ((1, "id", "UINT64"), (2, "name", "STRING"), (3, "text", "STRING")),
    "AudioRawFrame": (
        (1, "id", "UINT64"),
        (2, "name", "STRING"),
        (3, "audio", "BYTES"),
        (4, "sample_rate", "UINT32"),
        (5, "num_channels", "UINT32"),
        (6, "pts", "UINT64"),
    ),
    "TranscriptionFrame": (
        (1, "id", "UINT64"),
        (2, "name", "STRING"),
        (3, "text", "STRING"),
        (4, "user_id", "STRING"),
        (5, "timestamp", "STRING"),
    ),
    "MessageFrame": ((1, "data", "STRING"),),
    "InterruptionFrame": ((1, "id", "UINT64"), (2, "name", "STRING")),
}
"""Each message's fields: number, name, type."""
_FRAME: Sequence[tuple[int, str, str]] = (
    (1, "text", "TextFrame"),
    (2, "audio", "AudioRawFrame"),
    (3, "transcription", "TranscriptionFrame"),
    (4, "message", "MessageFrame"),
    (5, "interruption", "InterruptionFrame"),
)
"""A ``Frame`` is one of these: number, name, message."""


@cache
def frame_class() -> Any:
    """Return the class of ``pipecat.Frame``, made on first use: 60 ms, most of it protobuf's import."""
    from google.protobuf import descriptor_pool, message_factory

    pool = descriptor_pool.DescriptorPool()
    pool.Add(_file())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.Frame"))


def decode_error() -> type[Exception]:
    """Return what is raised for bytes that are no frame; for ``except``, which asks for it only then."""
    from google.protobuf.message import DecodeError

    return DecodeError


def _file() -> FileDescriptorProto:
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto

    file = FileDescriptorProto(name="frames.proto", package=_PACKAGE, syntax="proto3")
    optional = FieldDescriptorProto.LABEL_OPTIONAL
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for number, field, kind in fields:
            type_ = FieldDescriptorProto.Type.Value(f"TYPE_{kind}")
            message.field.add(number=number, name=field, type=type_, label=optional)
    frame = file.message_type.add(name="Frame")
    frame.oneof_decl.add(name="frame")
    for number, field, kind in _FRAME:
        frame.field.add(
            number=number,
            name=field,
            type=FieldDescriptorProto.TYPE_MESSAGE,
            type_name=f".{_PACKAGE}.{kind}",
            label=optional,
            oneof_index=0,
        )
    return file
