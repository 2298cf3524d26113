"""What passes over Vocode's websocket: JSON, with audio in base64. Pure."""

from __future__ import annotations

import json
import re
import struct
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from voicebackend.audio import MAX_RATE, MIN_RATE, PIPELINE_RATE, SAMPLE_BYTES, AudioFormat, whole_samples
from voicebackend.errors import InvalidFormat

SILENCE = "<silence>"
"""What the transcript of a pause says."""
STOP = '{"type":"websocket_stop"}'
"""Ends the conversation; the socket stays open until we close it."""
MAX_TEXT = 8_000
"""Characters of words that are read."""
MAX_BYTES = 2**20
"""Of a message: eight seconds of speech at the highest rate."""
_MARKS = re.compile(r"[^\w\s]")
_RIFF_BYTES = 12
_CHUNK = struct.Struct("<4sI")
_FORMAT = struct.Struct("<HHIIHH")
_PCM = 1


@dataclass(frozen=True, slots=True)
class Ready:
    """The server listens."""


@dataclass(frozen=True, slots=True)
class Speech:
    """A piece of what the bot says."""

    pcm: bytes
    """Signed 16-bit little-endian mono, whole samples."""
    sample_rate: int | None = None
    """Hz, where the piece tells."""


@dataclass(frozen=True, slots=True)
class Words:
    """What was said in one piece: by the caller, before it is answered; by the bot, once it has been spoken."""

    text: str
    human: bool


Told: TypeAlias = Ready | Speech | Words


def start(sample_rate: int) -> str:
    """Return the message that begins a conversation in which the server speaks at this rate."""
    heard = {
        "sampling_rate": PIPELINE_RATE,
        "audio_encoding": "linear16",
        "chunk_size": AudioFormat().frame_bytes,
    }
    spoken = {"sampling_rate": sample_rate, "audio_encoding": "linear16"}
    return json.dumps(
        {
            "type": "websocket_audio_config_start",
            "input_audio_config": heard,
            "output_audio_config": spoken,
            "subscribe_transcript": True,
        }
    )


def audio(pcm: bytes) -> str:
    """Return the message that carries caller audio, 16 kHz."""
    return f'{{"type":"websocket_audio","data":"{b64encode(pcm).decode()}"}}'


def told(message: Mapping[str, Any]) -> Told | None:
    """Return what the server tells; None for what we do not know.

    Raises:
        InvalidFormat: a message that we know is not as it has to be.

    """
    match message:
        case {"type": "websocket_audio", "data": str(data)}:
            return speech(_decoded(data))
        case {"type": "websocket_transcript", "text": str(text), "sender": "human" | "bot" as sender}:
            return Words(text[:MAX_TEXT], human=sender == "human")
        case {"type": "websocket_ready"}:
            return Ready()
        case {"type": "websocket_audio" | "websocket_transcript"}:
            raise InvalidFormat("vocode", "audio without data, or a transcript without text and sender")
    return None


def speech(data: bytes) -> Speech:
    """Return a piece of speech, which is a whole WAV file; or of a pause, which is bare PCM.

    Raises:
        InvalidFormat: a WAV file of anything but 16-bit mono PCM at 8 to 48 kHz.

    """
    if data[:4] != b"RIFF" or data[8:_RIFF_BYTES] != b"WAVE":
        return Speech(whole_samples(data)[0])
    rate, at = None, _RIFF_BYTES
    while at + _CHUNK.size <= len(data):
        name, size = _CHUNK.unpack_from(data, at)
        at += _CHUNK.size
        if name == b"fmt ":
            rate = _rate(data[at : at + size])
        elif name == b"data" and rate is not None:
            return Speech(whole_samples(data[at : at + size])[0], rate)
        at += size + size % 2
    raise InvalidFormat("vocode", "a piece of audio is no whole WAV file")


def has_any(text: str, phrases: Iterable[str]) -> bool:
    """Tell whether a text has one of these, as the server looks for them: without marks, in small letters."""
    plain = _MARKS.sub("", text.lower())
    return any(_MARKS.sub("", phrase.lower()) in plain for phrase in phrases)


def _rate(form: bytes) -> int:
    if len(form) >= _FORMAT.size:
        kind, channels, rate, _, _, bits = _FORMAT.unpack_from(form)
        if (kind, channels, bits) == (_PCM, 1, 8 * SAMPLE_BYTES) and MIN_RATE <= rate <= MAX_RATE:
            return int(rate)
    raise InvalidFormat("vocode", "audio must be 16-bit mono PCM, 8 to 48 kHz")


def _decoded(data: str) -> bytes:
    try:
        return b64decode(data, validate=True)
    except ValueError:
        raise InvalidFormat("vocode", "audio is not in base64") from None
