"""A turn in the caller's own voice, on its way from the worker that hears it to a model that is given it. Pure.

It lies in memory for a minute at most, and is never stored: no policy of retention is about it.
"""

from __future__ import annotations

import struct

from voicebackend.audio import PIPELINE_RATE, SAMPLE_BYTES

MAX_S = 30
"""Seconds of a turn that a model is given: its latest."""
MAX_BYTES = MAX_S * PIPELINE_RATE * SAMPLE_BYTES
KEPT_S = 60
"""Seconds for which it lies in Redis: an agent's task begins within a few of being published."""
_TURN = struct.Struct("<I")


def packed(turn: int, pcm: bytes) -> bytes:
    """Return what lies in Redis: the turn's number and its latest audio, 16-bit mono PCM of 16 kHz."""
    return _TURN.pack(turn) + pcm[-MAX_BYTES:]


def unpacked(turn: int, data: bytes | None) -> bytes:
    """Return the audio of this turn; nothing if what lies there is another's, or no such thing."""
    if data is None or len(data) <= _TURN.size or _TURN.unpack_from(data)[0] != turn:
        return b""
    return data[_TURN.size :]
