"""Pipecat's websocket messages: bytes in, what they say out, and the other way round. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from providers.pipecat.schema import decode_error, frame_class
from providers.remote.vendor_json import read_json
from voicebackend.audio import SAMPLE_BYTES, to_pcm, to_samples
from voicebackend.errors import InvalidFormat

_OP = "pipecat"
_WAV_HEADER = 44
"""Bytes that a server set to ``add_wav_header`` puts before each piece of audio."""
RATES = range(8_000, 48_001)
"""Hz that a server's audio may have."""
RTVI_LABEL = "rtvi-ai"


@dataclass(frozen=True, slots=True)
class Audio:
    """Whole samples, mono."""

    pcm: bytes
    sample_rate: int
    """Hz."""


@dataclass(frozen=True, slots=True)
class Rtvi:
    """A message of the RTVI protocol."""

    type: str
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Interruption:
    """What was being said is over, by whichever side's wish."""


Message: TypeAlias = Audio | Rtvi | Interruption


def encode(message: Message, *, id_: str = "") -> bytes:
    """Return the bytes of a message; ``id_`` is an RTVI message's, for the server to name in its answer."""
    if isinstance(message, Audio):
        return encode_audio(message.pcm, message.sample_rate)
    frame = frame_class()()
    if isinstance(message, Rtvi):
        told = {"label": RTVI_LABEL, "type": message.type, "id": id_, "data": dict(message.data)}
        frame.message.data = json.dumps(told)
    else:
        frame.interruption.SetInParent()
    encoded: bytes = frame.SerializeToString()
    return encoded


def encode_audio(pcm: bytes, sample_rate: int) -> bytes:
    """Return the bytes of a piece of audio, mono: fifty a second pass here, so nothing is made that is not sent."""
    frame = frame_class()()
    audio = frame.audio
    audio.audio, audio.sample_rate, audio.num_channels = pcm, sample_rate, 1
    encoded: bytes = frame.SerializeToString()
    return encoded


def decode(raw: bytes) -> Message | None:
    """Return what the bytes say, None for what is of no use to us.

    Raises:
        InvalidFormat: they are no frame of Pipecat's, or carry audio or JSON that is none.

    """
    try:
        frame = frame_class().FromString(raw)
    except decode_error():
        raise InvalidFormat(_OP, "a message is no frame of Pipecat's") from None
    match frame.WhichOneof("frame"):
        case "audio":
            return _audio(frame.audio)
        case "message":
            return _rtvi(frame.message.data)
        case "interruption":
            return Interruption()
        case _:
            return None


def _audio(audio: Any) -> Audio:
    pcm, channels = audio.audio, audio.num_channels or 1
    if audio.sample_rate not in RATES:
        raise InvalidFormat(_OP, f"audio of {audio.sample_rate} Hz")
    if pcm[:4] == b"RIFF":
        pcm = pcm[_WAV_HEADER:]
    if len(pcm) % (SAMPLE_BYTES * channels):
        raise InvalidFormat(_OP, "audio is cut within a sample")
    if channels > 1:
        pcm = to_pcm(to_samples(pcm).reshape(-1, channels).mean(axis=1, dtype=np.float64))
    return Audio(pcm, audio.sample_rate)


def _rtvi(text: str) -> Rtvi | None:
    """Return an RTVI message, None for what an application sends in a way of its own."""
    try:
        told = read_json(text)
    except (ValueError, RecursionError):
        raise InvalidFormat(_OP, "a message is no JSON") from None
    if not isinstance(told, dict) or told.get("label") != RTVI_LABEL or not isinstance(told.get("type"), str):
        return None
    data = told.get("data")
    return Rtvi(told["type"], data if isinstance(data, dict) else {})
