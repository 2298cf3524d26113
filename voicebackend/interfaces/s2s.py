"""Speech to speech."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from voicebackend.interfaces.engine import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class S2sEvent:
    """Something a speech-to-speech model said or noticed."""

    kind: str
    """``audio``, ``user_text``, ``agent_text``, ``speech_started``, ``turn_done`` or ``error``."""
    pcm: bytes = b""
    text: str = ""
    final: bool = False


class S2sStream:
    """One session's conversation with a speech-to-speech model."""

    async def push(self, pcm: bytes) -> None:
        """Send caller audio, 16 kHz."""
        raise NotImplementedError

    def events(self) -> AsyncIterator[S2sEvent]:
        """Yield what comes back until the stream closes."""
        raise NotImplementedError

    async def interrupt(self, played_ms: float) -> None:
        """Stop the answer under way; the model is to remember only what was played."""
        raise NotImplementedError

    async def say(self, text: str) -> None:
        """Have the model speak this text: where an agent of ours answers, a clause of it."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Hang up."""


class SpeechToSpeech(Engine):
    """A model that listens and speaks."""

    sample_rate: int = 24_000
    """Hz of its audio events."""

    async def stream(self, *, metadata: Mapping[str, Any], answers: bool = True) -> S2sStream:
        """Open a conversation; with ``answers`` False the model only listens, and speaks what ``say`` gives it."""
        raise NotImplementedError
