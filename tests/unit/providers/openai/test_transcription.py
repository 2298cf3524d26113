"""What the recogniser is asked, and how its answer reads."""

from __future__ import annotations

import io
import json
import wave
from typing import Any

import pytest

from providers.openai.config import OpenAiSttConfig
from providers.openai.transcription import MAX_BYTES, TranscriptReader, fields, wav
from voicebackend.errors import InvalidFormat

DELTAS = [
    {"type": "transcript.text.delta", "delta": "good"},
    {"type": "transcript.text.delta", "delta": " day"},
    {"type": "transcript.text.done", "text": "Good day."},
]


def sent(events: list[dict[str, Any]], *, end: str = "data: [DONE]\n\n") -> bytes:
    """Return server-sent events."""
    return ("".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events) + end).encode()


def read(*pieces: bytes) -> str:
    """Return what an answer says."""
    reader = TranscriptReader()
    for piece in pieces:
        reader.feed(piece)
    return reader.result()


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("end", ["data: [DONE]\n\n", ""])
def test_an_answer_is_read_however_it_is_cut(size: int, end: str) -> None:
    """The text grows, and the whole counts in the end."""
    reader, body = TranscriptReader(), sent(DELTAS, end=end)
    grown = [reader.feed(body[start : start + size]) for start in range(0, len(body), size)]
    assert [text for text in grown if text is not None][-1] == "good day"
    assert reader.result() == "Good day."


def test_a_last_line_without_end_is_read() -> None:
    """Servers differ."""
    assert read(sent(DELTAS, end="").rstrip()) == "Good day."


@pytest.mark.parametrize("indent", [None, 2])
def test_a_model_that_cannot_stream_answers_as_a_whole(indent: int | None) -> None:
    """One JSON object, on one line or on several."""
    reader = TranscriptReader()
    assert reader.feed(json.dumps({"text": "Good day.", "usage": {}}, indent=indent).encode()) is None
    assert reader.result() == "Good day."


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"error": 1}', b'{"text": 1}', sent(DELTAS[:1]), b"[" * 5000]
)
def test_what_is_no_transcript_is_an_error(body: bytes) -> None:
    """It is never taken for silence."""
    with pytest.raises(InvalidFormat):
        read(body)


@pytest.mark.parametrize("data", ["{not json", "[1]", '{"type": "transcript.text.delta", "delta": 1}'])
def test_an_event_that_is_none_is_an_error(data: str) -> None:
    """At once."""
    with pytest.raises(InvalidFormat):
        TranscriptReader().feed(f"data: {data}\n\n".encode())


def test_an_answer_without_end_is_an_error() -> None:
    """It would fill the memory."""
    with pytest.raises(InvalidFormat):
        read(*[bytes(1000)] * (MAX_BYTES // 1000 + 1))


def test_the_file_is_a_wav_of_what_was_said() -> None:
    """16 kHz, 16 bits, mono."""
    with wave.open(io.BytesIO(wav(b"\x01\x02" * 160))) as file:
        assert file.getparams()[:4] == (1, 2, 16_000, 160)
        assert file.readframes(160) == b"\x01\x02" * 160


def test_only_what_is_set_is_asked_for() -> None:
    """Other servers may not know the rest."""
    assert fields(OpenAiSttConfig(model="m", partials=False)) == {"model": "m", "response_format": "json"}
    told = fields(OpenAiSttConfig(model="m", language="en", prompt="canary"))
    assert told == {"model": "m", "response_format": "json", "language": "en", "prompt": "canary", "stream": "true"}
