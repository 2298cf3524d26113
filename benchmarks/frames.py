"""Frames that tell when they were sent: 20 ms of 16 kHz PCM that begin with a number and a time. Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterator

FRAME_S = 0.02
FRAME_BYTES = 640
_STAMP = struct.Struct("<Id")
_REST = bytes(range(1, 129)) * 5


def stamped(number: int, sent: float) -> bytes:
    """Return a frame; ``sent`` is in seconds of the machine's monotonic clock."""
    return _STAMP.pack(number, sent) + _REST[_STAMP.size :]


def stamps(audio: bytes | memoryview) -> Iterator[tuple[int, float]]:
    """Yield number and time of each frame in a message, which may hold several; raises ValueError for half frames."""
    if len(audio) % FRAME_BYTES:
        raise ValueError(f"{len(audio)} bytes are no whole frames")
    for at in range(0, len(audio), FRAME_BYTES):
        yield _STAMP.unpack_from(audio, at)  # type: ignore[misc]  # the format says so
