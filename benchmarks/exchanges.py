"""What each provider's client makes of a frame of audio, both ways, and the least that its message can cost."""

from __future__ import annotations

import io
import json
import wave
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

import numpy as np

from providers.cartesia import s2s_codec as cartesia_agent
from providers.cartesia import tts_codec as cartesia_tts
from providers.elevenlabs import codec as elevenlabs
from providers.openai import codec as openai
from providers.pipecat import codec as pipecat
from providers.pipecat.schema import frame_class
from providers.remote.socket import RemoteSocket
from providers.vocode import codec as vocode
from voicebackend.audio import AudioFormat

Wire: TypeAlias = str | bytes
_SOCKET = RemoteSocket(cast("Any", None), op="benchmark")
"""Only reads JSON here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One way of coding a frame: ours, or the bare one."""

    encode: Callable[[bytes], Wire] | None
    """Caller audio to what is sent; None where nothing is to be made of it."""
    decode: Callable[[Wire], bytes]
    """What is received to the agent's audio."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A frame out and a frame in, as one provider has them."""

    name: str
    sample_rate: int
    """Hz, both ways."""
    received: Wire
    """What the provider sends for ``pcm``."""
    ours: Side
    bare: Side

    @property
    def pcm(self) -> bytes:
        """The frame: 20 ms of noise."""
        return _frame(self.sample_rate)


def exchanges() -> list[Exchange]:
    """Return every exchange that is coded message by message."""
    return [
        _json(
            "openai",
            24_000,
            sent={"type": "input_audio_buffer.append", "audio": ""},
            received={"type": "response.output_audio.delta", "response_id": "r", "item_id": "i", "delta": ""},
            encode=lambda pcm: json.dumps(openai.append(pcm)),
            decode=lambda message: openai.decoded(message.get("delta")),
        ),
        _json(
            "elevenlabs",
            16_000,
            sent={"user_audio_chunk": ""},
            received={"type": "audio", "audio_event": {"audio_base_64": "", "event_id": 1}},
            encode=lambda pcm: json.dumps(elevenlabs.hear(pcm)),
            decode=lambda message: cast("elevenlabs.Speech", elevenlabs.read(message)).audio,
        ),
        _json(
            "cartesia agent",
            24_000,
            sent={"type": "audio_input", "audio": ""},
            received={"type": "audio_output", "audio": ""},
            encode=lambda pcm: json.dumps(cartesia_agent.audio_input(pcm)),
            decode=_cartesia_agent(),
        ),
        _json(
            "cartesia voice",
            24_000,
            sent=None,
            received={"type": "chunk", "context_id": "c", "done": False, "status_code": 206, "data": ""},
            encode=None,
            decode=lambda message: cast("cartesia_tts.Told", cartesia_tts.parsed(message)).pcm,
        ),
        _json(
            "vocode",
            16_000,
            sent={"type": "websocket_audio", "data": ""},
            received={"type": "websocket_audio", "data": ""},
            encode=vocode.audio,
            decode=lambda message: cast("vocode.Speech", vocode.told(message)).pcm,
            header=_wav_header(16_000),
        ),
        _pipecat(24_000),
    ]


def _json(
    name: str,
    rate: int,
    *,
    sent: Mapping[str, Any] | None,
    received: Mapping[str, Any],
    encode: Callable[[bytes], Wire] | None,
    decode: Callable[[dict[str, Any]], bytes],
    header: bytes = b"",
) -> Exchange:
    """Return an exchange of JSON with base64 in it, where the examples have an empty text; bare does no more."""
    path = _path(received)
    message = json.dumps(_with(received, b64encode(header + _frame(rate)).decode()))

    def bare_decode(text: Wire) -> bytes:
        found: Any = json.loads(text)
        for key in path:
            found = found[key]
        return b64decode(found)

    def bare_encode(pcm: bytes) -> Wire:
        return json.dumps({**cast("Mapping[str, Any]", sent), field: b64encode(pcm).decode()})

    field = "" if sent is None else _path(sent)[0]
    return Exchange(
        name=name,
        sample_rate=rate,
        received=message,
        ours=Side(encode=encode, decode=lambda text: decode(_SOCKET.parsed(cast("str", text)))),
        bare=Side(encode=None if encode is None else bare_encode, decode=bare_decode),
    )


def _pipecat(rate: int) -> Exchange:
    frame = frame_class()

    def bare_encode(pcm: bytes) -> Wire:
        return cast("bytes", frame(audio={"audio": pcm, "sample_rate": rate, "num_channels": 1}).SerializeToString())

    return Exchange(
        name="pipecat",
        sample_rate=rate,
        received=bare_encode(_frame(rate)),
        ours=Side(
            encode=lambda pcm: pipecat.encode_audio(pcm, rate),
            decode=lambda raw: cast("pipecat.Audio", pipecat.decode(cast("bytes", raw))).pcm,
        ),
        bare=Side(encode=bare_encode, decode=lambda raw: cast("bytes", frame.FromString(raw).audio.audio)),
    )


def _cartesia_agent() -> Callable[[dict[str, Any]], bytes]:
    turns = cartesia_agent.AgentTurns()
    return lambda message: turns.take(message)[0].pcm


def _path(message: Mapping[str, Any]) -> tuple[str, ...]:
    """Return where the empty text is that stands for audio."""
    for key, value in message.items():
        if value == "":
            return (key,)
        if isinstance(value, Mapping) and (inner := _path(value)):
            return (key, *inner)
    return ()


def _with(message: Mapping[str, Any], audio: str) -> dict[str, Any]:
    return {
        key: audio if value == "" else _with(value, audio) if isinstance(value, Mapping) else value
        for key, value in message.items()
    }


def _frame(rate: int) -> bytes:
    return np.random.default_rng(rate).integers(0, 256, AudioFormat(sample_rate=rate).frame_bytes, np.uint8).tobytes()


def _wav_header(rate: int) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(_frame(rate))
    return out.getvalue()[:44]
