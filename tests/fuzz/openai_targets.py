"""What OpenAI's servers say: the Realtime API's events, one after the other, and streamed transcripts."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

from target import Target

from providers.openai import codec
from providers.openai.dialogue import Dialogue, Outcome
from providers.openai.transcription import TranscriptReader
from voicebackend.audio import SAMPLE_BYTES
from voicebackend.errors import InvalidFormat, VoiceBackendError

MAX_EVENTS = 64
"""Of one conversation."""
MAX_SILENCE_S = 10.0


def realtime(data: bytes) -> None:
    """A line of JSON for each event, among them an interruption: what is told and sent can be, until an error."""
    dialogue = Dialogue(answers=True, silence_s=0.5)
    events = [event for line in data.split(b"\n")[:MAX_EVENTS] if (event := _object(line)) is not None]
    came = sum(len(codec.decoded(event.get("delta"))) for event in events)
    told = 0
    for number, event in enumerate(events):
        assert 0 <= codec.silence_s(event) <= MAX_SILENCE_S
        assert isinstance(codec.refused(event), VoiceBackendError)
        if number == len(events) // 2:
            told += _heard(dialogue.tell("Hello."))
            told += _heard(dialogue.interrupt(40.0)[1])
        told += _heard(dialogue.take(event))
    assert told <= came


def transcript(data: bytes) -> None:
    """An answer in two pieces is the same as in one."""
    found = [_transcript(data), _transcript(data[: len(data) // 2], data[len(data) // 2 :])]
    assert found[0] == found[1]
    if found[0] is None:
        raise InvalidFormat("fuzz", "no transcript")


def _transcript(*pieces: bytes) -> str | None:
    reader = TranscriptReader()
    with suppress(VoiceBackendError):
        for piece in pieces:
            reader.feed(piece)
        return reader.result()
    return None


def _heard(outcome: Outcome) -> int:
    """Return how many bytes of audio are told; whole samples only."""
    json.dumps(outcome.messages, allow_nan=False)
    for told in outcome.told:
        assert len(told.event.pcm) % SAMPLE_BYTES == 0
        assert all(0 < amount < float("inf") for amount in told.event.usage.values())
    return sum(len(told.event.pcm) for told in outcome.told)


def _object(line: bytes) -> dict[str, Any] | None:
    with suppress(ValueError, RecursionError):
        found = json.loads(line)
        return found if isinstance(found, dict) else None
    return None


_WORDS = (b"\n", b'"type"', b'"error"', b'"response"', b"null", b"NaN", b"1e400", b"9" * 400, b"[" * 200, b"{}")
TARGETS = (
    Target(name="openai-realtime", read=realtime, refuses=(VoiceBackendError,), words=_WORDS),
    Target(name="openai-transcript", read=transcript, words=(b"data:", *_WORDS)),
)
