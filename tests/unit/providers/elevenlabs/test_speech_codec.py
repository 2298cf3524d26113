"""What the voice is asked, and its lines."""

from __future__ import annotations

import base64
import json

import pytest

from providers.elevenlabs import speech_codec
from providers.elevenlabs.config import ElevenLabsTtsConfig
from providers.elevenlabs.speech_codec import Lines, Piece, body_of, path_of, read
from providers.elevenlabs.words import Letters
from voicebackend.errors import InvalidFormat

TIMES = {
    "characters": ["H", "i"],
    "character_start_times_seconds": [0, 0.1],
    "character_end_times_seconds": [0.1, 0.2],
}
LINE = json.dumps({"audio_base64": base64.b64encode(b"\x01\x00").decode(), "alignment": TIMES}).encode()
PIECE = Piece(b"\x01\x00", Letters(["H", "i"], [0.0, 0.1], [0.1, 0.2]))


def test_only_what_is_set_is_asked() -> None:
    """The rest is as the voice was saved."""
    config = ElevenLabsTtsConfig(model_id="m", voice_id="v/1", word_times=False, sample_rate=16_000)
    assert path_of(config) == "/v1/text-to-speech/v%2F1/stream?output_format=pcm_16000"
    assert body_of(config, "Hi.") == {"text": "Hi.", "model_id": "m"}


def test_what_is_set_is_asked() -> None:
    """Zero, too."""
    config = ElevenLabsTtsConfig(model_id="m", voice_id="v", language="de", stability=0, style=0, speed=1.1)
    assert path_of(config) == "/v1/text-to-speech/v/stream/with-timestamps?output_format=pcm_24000"
    voice = {"stability": 0, "style": 0, "speed": 1.1}
    assert body_of(config, "Hi.") == {"text": "Hi.", "model_id": "m", "language_code": "de", "voice_settings": voice}


@pytest.mark.parametrize("size", [1, 7, 50, 10_000])
def test_lines_are_put_together_however_they_come(size: int) -> None:
    """Empty ones are left out, and the last may have no end."""
    data, lines = LINE + b"\n\n" + LINE + b"\r\n" + LINE, Lines()
    found = [piece for at in range(0, len(data), size) for piece in lines.push(data[at : at + size])]
    assert [*found, *lines.flush()] == [PIECE] * 3
    assert list(lines.flush()) == []


@pytest.mark.parametrize("name", ["audio_base64", "alignment"])
def test_a_line_may_have_nothing_of_one(name: str) -> None:
    """Silence has no characters."""
    found = read(json.dumps({**json.loads(LINE), name: None}).encode())
    assert found == Piece(
        b"" if name == "audio_base64" else b"\x01\x00", PIECE.letters if name != "alignment" else None
    )


@pytest.mark.parametrize(
    "line",
    [
        b"<html>",
        b"[]",
        b"7",
        b'{"audio_base64": "!"}',
        b'{"audio_base64": 7}',
        b'{"detail": {"status": "system_busy"}}',
        b'{"audio_base64": "", "alignment": {"characters": ["a"]}}',
        LINE.replace(b'"H", ', b""),
        b"[" * 100_000,
    ],
)
def test_what_is_no_speech_is_malformed(line: bytes) -> None:
    """It is never played."""
    with pytest.raises(InvalidFormat):
        read(line)


def test_a_line_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """It must not fill the memory."""
    monkeypatch.setattr(speech_codec, "MAX_LINE_BYTES", 1_000)
    lines = Lines()
    assert list(lines.push(b"x" * 1_000)) == []
    with pytest.raises(InvalidFormat):
        list(lines.push(b"x"))
