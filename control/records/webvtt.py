"""A transcript's document as WebVTT captions, a voice for each speaker: for players beside a recording. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from voicebackend.errors import InvalidFormat

TYPE = "text/vtt"
VOICES: Mapping[str, str] = {"user": "Caller", "agent": "Agent"}
SHORTEST_MS = 500
"""A caption stays at least so long: typed text has no duration."""


def webvtt(document: bytes) -> str:
    """Return the captions of a transcript, clause by clause where that is known.

    Raises:
        InvalidFormat: it is no transcript of a form with times.

    """
    try:
        segments = json.loads(document)["segments"]
        cues = sorted((cue for segment in segments for cue in _cues(segment)), key=lambda cue: cue[:2])
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidFormat("webvtt", "this record is no transcript with times") from error
    return "\n\n".join(["WEBVTT", *(_cue(*cue) for cue in cues)]) + "\n"


def _cues(segment: Mapping[str, Any]) -> Iterator[tuple[int, int, str, str]]:
    for part in segment.get("clauses") or ([segment] if segment["text"] else ()):
        yield part["start_ms"], part["end_ms"], VOICES[segment["role"]], part["text"]


def _cue(start_ms: int, end_ms: int, voice: str, text: str) -> str:
    end_ms = max(end_ms, start_ms + SHORTEST_MS)
    return f"{_clock(start_ms)} --> {_clock(end_ms)}\n<v {voice}>{_escaped(text)}"


def _clock(ms: int) -> str:
    seconds, ms = divmod(ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}.{ms:03}"


def _escaped(text: str) -> str:
    """Return a text on one line, without markup or the arrow that a cue may not have."""
    line = " ".join(text.split())
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
