"""The caller's side of a session."""

from __future__ import annotations

from typing import Any

from voicebackend.audio import PIPELINE_RATE


class TransportLink:
    """The caller's side of one session: where agent audio and events go. Never waits for the caller."""

    sample_rate: int = PIPELINE_RATE
    """Hz of the audio that ``play`` takes."""

    def play(self, turn: int, pcm: bytes) -> None:
        """Send agent audio of a turn, in its order, paced by the pipeline: whole frames of 20 ms, several at a time."""
        raise NotImplementedError

    def event(self, message: Any) -> None:
        """Send a ``voicebackend.events`` message."""
        raise NotImplementedError
