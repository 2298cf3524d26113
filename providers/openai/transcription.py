"""The recogniser's side of the wire: what is asked, and the answer, whole or streamed; pure."""

from __future__ import annotations

import io
import wave
from collections.abc import Mapping
from typing import Any

from providers.openai.config import OpenAiSttConfig
from providers.remote.vendor_json import read_json
from voicebackend.audio import PIPELINE_RATE, SAMPLE_BYTES
from voicebackend.errors import InvalidFormat

MAX_BYTES = 2**20
"""Of an answer: the text of at most 15 s of speech."""
_DATA = b"data:"
_DONE = b"[DONE]"


def wav(pcm: bytes) -> bytes:
    """Return 16 kHz PCM as a WAV file."""
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(SAMPLE_BYTES)
        out.setframerate(PIPELINE_RATE)
        out.writeframes(pcm)
    return file.getvalue()


def fields(settings: OpenAiSttConfig) -> Mapping[str, str]:
    """Return the form's fields beside the file."""
    found = {"model": settings.model, "response_format": "json"}
    if settings.language is not None:
        found["language"] = settings.language
    if settings.prompt is not None:
        found["prompt"] = settings.prompt
    if settings.partials:
        found["stream"] = "true"
    return found


class TranscriptReader:
    """Reads an answer piece by piece: server-sent events, or one JSON object from models that cannot stream."""

    def __init__(self) -> None:
        self._body = bytearray()
        self._read = 0
        self._text = ""
        self._whole: str | None = None

    def feed(self, piece: bytes) -> str | None:
        """Take more of the answer; return the text so far if it has grown.

        Raises:
            InvalidFormat: it is none, or too long for one.

        """
        self._body += piece
        if len(self._body) > MAX_BYTES:
            raise InvalidFormat("openai.transcribe", f"the answer is longer than {MAX_BYTES} bytes")
        before = self._text
        while (end := self._body.find(b"\n", self._read)) >= 0:
            self._take(bytes(self._body[self._read : end]).strip())
            self._read = end + 1
        return self._text if self._text != before else None

    def result(self) -> str:
        """Return the whole text, at the end of the answer.

        Raises:
            InvalidFormat: it is not there.

        """
        rest = bytes(self._body[self._read :]).strip()
        if self._whole is None and rest.startswith(_DATA):
            self._take(rest)
        if self._whole is None:
            self._whole = _text(_object(bytes(self._body)), "text")
        return self._whole

    def _take(self, line: bytes) -> None:
        if not line.startswith(_DATA):
            return  # the name of an event, or a line of a JSON object
        data = line.removeprefix(_DATA).strip()
        if data == _DONE:
            return
        event = _object(data)
        match event.get("type"):
            case "transcript.text.delta":
                self._text += _text(event, "delta")
            case "transcript.text.done":
                self._whole = _text(event, "text")
            case _:
                pass


def _object(data: bytes) -> dict[str, Any]:
    try:
        found = read_json(data.decode())
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise InvalidFormat("openai.transcribe", "the answer is no transcript")
    return found


def _text(found: Mapping[str, Any], field: str) -> str:
    text = found.get(field)
    if not isinstance(text, str):
        raise InvalidFormat("openai.transcribe", f"the answer has no {field}")
    return text
