"""What the voice is asked, and the lines that it answers by; pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from providers.elevenlabs.config import ElevenLabsTtsConfig
from providers.elevenlabs.words import Letters
from voicebackend.errors import InvalidFormat

MAX_LINE_BYTES = 4 * 2**20
"""Of one line: more than a minute of audio."""
_OP = "elevenlabs.speak"


@dataclass(frozen=True, slots=True)
class Piece:
    """Some audio, and when the text's characters sound, from the beginning of the first piece."""

    audio: bytes
    letters: Letters | None = None


def path_of(config: ElevenLabsTtsConfig) -> str:
    """Return where a text becomes speech."""
    times = "/with-timestamps" if config.word_times else ""
    return f"/v1/text-to-speech/{quote(config.voice_id, safe='')}/stream{times}?output_format=pcm_{config.sample_rate}"


def body_of(config: ElevenLabsTtsConfig, text: str) -> dict[str, Any]:
    """Return what is asked; what the settings leave out is left to the voice."""
    body: dict[str, Any] = {"text": text, "model_id": config.model_id}
    if config.language is not None:
        body["language_code"] = config.language
    names = ("stability", "similarity_boost", "style", "speed")
    voice = {name: value for name in names if (value := getattr(config, name)) is not None}
    return {**body, "voice_settings": voice} if voice else body


class Lines:
    """Cuts what comes into lines, each a JSON object; empty ones are left out."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def push(self, data: bytes) -> Iterator[Piece]:
        """Take more; yield what is complete.

        Raises:
            InvalidFormat: a line is too long, or no piece of speech.

        """
        self._rest += data
        if b"\n" not in data:
            if len(self._rest) > MAX_LINE_BYTES:
                raise InvalidFormat(_OP, f"a line is longer than {MAX_LINE_BYTES} bytes")
            return
        *lines, rest = bytes(self._rest).split(b"\n")
        self._rest = bytearray(rest)
        for line in lines:
            if line.strip():
                yield read(line)

    def flush(self) -> Iterator[Piece]:
        """Yield the last line, which may have no end."""
        rest, self._rest = bytes(self._rest), bytearray()
        if rest.strip():
            yield read(rest)


def read(line: bytes) -> Piece:
    """Return what a line says.

    Raises:
        InvalidFormat: it is no piece of speech.

    """
    try:
        found = json.loads(line)
        times = found.get("alignment")
        audio = base64.b64decode(found["audio_base64"] or "", validate=True)
        return Piece(audio, _letters(times) if times else None)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise InvalidFormat(_OP, "a line is no piece of speech") from None


def _letters(times: dict[str, Any]) -> Letters:
    characters = [str(character) for character in times["characters"]]
    starts = [float(at) for at in times["character_start_times_seconds"]]
    ends = [float(at) for at in times["character_end_times_seconds"]]
    if not len(characters) == len(starts) == len(ends):
        raise ValueError("characters without times")
    return Letters(characters, starts, ends)
