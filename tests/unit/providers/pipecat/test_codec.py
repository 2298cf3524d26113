"""Pipecat's frames as values, and back."""

from __future__ import annotations

import io
import wave
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.pipecat.codec import Audio, Interruption, Message, Rtvi, decode, encode
from providers.pipecat.schema import frame_class
from voicebackend.errors import InvalidFormat

PCM = bytes(range(256)) * 4


def framed(**fields: Any) -> bytes:
    """Return the bytes of a frame."""
    return bytes(frame_class()(**fields).SerializeToString())


@pytest.mark.parametrize(
    "message", [Audio(PCM, 24_000), Rtvi("bot-ready", {"version": "2.2.0"}), Rtvi("x"), Interruption()]
)
def test_what_is_encoded_is_decoded(message: Message) -> None:
    """Nothing is lost on the way."""
    assert decode(encode(message, id_="1")) == message


def test_two_channels_are_mixed() -> None:
    """Callers hear one."""
    both = b"\x10\x00\x20\x00" * 3
    assert decode(framed(audio={"audio": both, "sample_rate": 8_000, "num_channels": 2})) == Audio(
        b"\x18\x00" * 3, 8_000
    )


def test_a_wav_header_is_no_sound() -> None:
    """Servers may be set to send one with each piece."""
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(24_000)
        wav.writeframes(PCM)
    audio = {"audio": file.getvalue(), "sample_rate": 24_000, "num_channels": 1}
    assert decode(framed(audio=audio)) == Audio(PCM, 24_000)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        framed(text={"text": "said"}),
        framed(transcription={"text": "said"}),
        framed(message={"data": '{"an": "application\'s own"}'}),
        framed(message={"data": "[1]"}),
        framed(message={"data": '{"label": "rtvi-ai", "type": 5}'}),
    ],
)
def test_what_is_of_no_use_is_passed_over(raw: bytes) -> None:
    """Newer servers may send more than we know."""
    assert decode(raw) is None


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff\xff",
        framed(audio={"audio": b"\0\0\0", "sample_rate": 24_000, "num_channels": 1}),
        framed(audio={"audio": b"\0\0", "sample_rate": 24_000, "num_channels": 2}),
        framed(message={"data": "{[not json"}),
        framed(message={"data": "[" * 100_000}),
    ],
)
def test_nonsense_is_told(raw: bytes) -> None:
    """It is no reason to guess."""
    with pytest.raises(InvalidFormat):
        decode(raw)


def test_data_that_is_no_object_is_none() -> None:
    """Handlers need not look."""
    assert decode(framed(message={"data": '{"label": "rtvi-ai", "type": "error", "data": [1]}'})) == Rtvi("error", {})


@given(st.binary(max_size=200))
def test_whatever_comes_is_a_message_or_nonsense(raw: bytes) -> None:
    """Nothing else is raised."""
    try:
        found = decode(raw)
    except InvalidFormat:
        return
    assert found is None or isinstance(found, Audio | Rtvi | Interruption)
