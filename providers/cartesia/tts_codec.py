"""What the vendor's voice is asked and tells, message by message; no I/O."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from providers.cartesia.config import CartesiaTtsConfig
from providers.cartesia.vendor import audio_of, told
from voicebackend.errors import VoiceBackendError
from voicebackend.interfaces import WordTime

PATH = "/tts/websocket"
MIN_WORD_S = 0.001
"""Seconds that a word sounds at least."""


@dataclass(frozen=True, slots=True)
class Told:
    """Something that the vendor tells of a context."""

    context: str
    """Empty for what concerns the whole connection."""
    pcm: bytes = b""
    words: tuple[WordTime, ...] = ()
    done: bool = False
    error: VoiceBackendError | None = None


def speech_request(config: CartesiaTtsConfig, context: str, text: str) -> dict[str, Any]:
    """Return the message that has a whole text spoken in a context of its own."""
    request: dict[str, Any] = {
        "context_id": context,
        "model_id": config.model_id,
        "transcript": text,
        "voice": {"mode": "id", "id": config.voice_id},
        "output_format": {"container": "raw", "encoding": "pcm_s16le", "sample_rate": config.sample_rate},
        "continue": False,
        "add_timestamps": config.word_times,
    }
    return request | ({"language": config.language} if config.language else {})


def cancel_request(context: str) -> dict[str, Any]:
    """Return the message that stops a context; what is under way may still come."""
    return {"context_id": context, "cancel": True}


def parsed(message: dict[str, Any]) -> Told | None:
    """Return what a message tells, None if it is nothing to us.

    Raises:
        InvalidFormat: it cannot be what it says.

    """
    context = str(message.get("context_id") or "")
    match message.get("type"):
        case "chunk":
            return Told(context, pcm=audio_of(message.get("data"), "tts"))
        case "timestamps":
            return Told(context, words=tuple(_words(message.get("word_timestamps"))))
        case "done":
            return Told(context, done=True)
        case "error":
            return Told(context, error=told(message, "tts"))
        case _:
            return None


class WordClock:
    """One context's word times, made to follow one another."""

    def __init__(self) -> None:
        self._end_s = 0.0

    def after_last(self, word: WordTime) -> WordTime:
        """Return a word's time, not before the last one's end and not without length."""
        start_s = max(self._end_s, word.start_s)
        self._end_s = max(start_s + MIN_WORD_S, word.end_s)
        return WordTime(word.word, start_s, self._end_s)


def _words(found: object) -> Iterator[WordTime]:
    """Yield the words that have times; lists of different lengths are read as far as all go."""
    if not isinstance(found, dict):
        return
    columns = [column if isinstance(column, list) else [] for column in map(found.get, ("words", "start", "end"))]
    for word, start, end in zip(*columns, strict=False):
        if isinstance(word, str) and isinstance(start, int | float) and isinstance(end, int | float):
            yield WordTime(word, float(start), float(end))
