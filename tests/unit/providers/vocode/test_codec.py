"""What passes over Vocode's websocket."""

from __future__ import annotations

import io
import json
import wave
from base64 import b64decode, b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.vocode import codec
from providers.vocode.codec import Ready, Speech, Words
from voicebackend.errors import InvalidFormat


def wav(pcm: bytes, rate: int = 24_000, *, channels: int = 1, width: int = 2) -> bytes:
    """Return a WAV file."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(pcm)
    return out.getvalue()


def spoken(data: bytes) -> dict[str, Any]:
    """Return the message that carries it."""
    return {"type": "websocket_audio", "data": b64encode(data).decode()}


def test_a_conversation_begins_with_both_formats() -> None:
    """The caller's is ours; the bot's rate is what the setting says."""
    found = json.loads(codec.start(24_000))
    assert found == {
        "type": "websocket_audio_config_start",
        "input_audio_config": {"sampling_rate": 16_000, "audio_encoding": "linear16", "chunk_size": 640},
        "output_audio_config": {"sampling_rate": 24_000, "audio_encoding": "linear16"},
        "subscribe_transcript": True,
    }


@given(st.binary(max_size=640))
def test_caller_audio_is_json(pcm: bytes) -> None:
    """Whatever the bytes."""
    found = json.loads(codec.audio(pcm))
    assert found.keys() == {"type", "data"}
    assert b64decode(found["data"]) == pcm


def test_a_piece_of_speech_is_a_file_that_tells_its_rate() -> None:
    """It may be another than was asked for; other chunks of the file are passed over."""
    assert codec.told(spoken(wav(b"\x01\x02" * 50))) == Speech(b"\x01\x02" * 50, 24_000)
    whole = wav(b"\x01\x02", 8_000)
    listed = whole[:12] + b"LIST\x03\x00\x00\x00abc\x00" + whole[12:]
    assert codec.told(spoken(listed)) == Speech(b"\x01\x02", 8_000)


def test_a_file_that_is_shorter_than_it_says_is_what_is_there() -> None:
    """Who writes WAV as it comes does not know its length."""
    whole = bytearray(wav(bytes(100)))
    whole[40:44] = b"\xff\xff\xff\xff"
    assert codec.told(spoken(bytes(whole))) == Speech(bytes(100), 24_000)


def test_a_pause_is_bare_pcm() -> None:
    """It has no rate of its own; half a sample is none."""
    assert codec.told(spoken(bytes(7))) == Speech(bytes(6))
    assert codec.told(spoken(b"")) == Speech(b"")


@pytest.mark.parametrize("sender", ["human", "bot"])
def test_words_tell_whose_they_are(sender: str) -> None:
    """The time is of no use to us."""
    message = {"type": "websocket_transcript", "text": "Hello.", "sender": sender, "timestamp": 1.5}
    assert codec.told(message) == Words("Hello.", human=sender == "human")


def test_ready_and_what_nobody_knows() -> None:
    """Later servers may say more."""
    assert codec.told({"type": "websocket_ready"}) == Ready()
    assert codec.told({"type": "websocket_weather"}) is None
    assert codec.told({}) is None


@pytest.mark.parametrize(
    "message",
    [
        {"type": "websocket_audio"},
        {"type": "websocket_audio", "data": 5},
        {"type": "websocket_audio", "data": "not base64"},
        {"type": "websocket_transcript", "text": "Hello.", "sender": "cat"},
        {"type": "websocket_transcript", "sender": "bot"},
        spoken(wav(bytes(8), channels=2)),
        spoken(wav(bytes(8), width=1)),
        spoken(wav(bytes(8), 1_000)),
        spoken(b"RIFF\x00\x00\x00\x00WAVE"),
        spoken(b"RIFF\x00\x00\x00\x00WAVEdata\x02\x00\x00\x00\x00\x00"),
    ],
)
def test_what_is_not_as_it_has_to_be_is_an_error_of_ours(message: dict[str, Any]) -> None:
    """And tells nothing of what was said."""
    with pytest.raises(InvalidFormat):
        codec.told(message)


@given(st.binary(max_size=200))
def test_no_bytes_break_it(data: bytes) -> None:
    """A file that is none is an error of ours, and nothing else is."""
    for case in (data, b"RIFF" + data[:4] + b"WAVE" + data[4:]):
        try:
            found = codec.speech(case)
        except InvalidFormat:
            continue
        assert len(found.pcm) % 2 == 0
