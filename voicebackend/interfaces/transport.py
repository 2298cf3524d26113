"""The caller's side of a session."""

from __future__ import annotations

from typing import Any

from voicebackend.audio import PIPELINE_RATE


class TransportLink:
    """The caller's side of one session: where agent audio and events go. Never waits for the caller."""

    sample_rate: int = PIPELINE_RATE
    """Hz of the audio that ``play`` takes."""

    def play(self, turn: int, pcm: bytes) -> None:
        """Send agent audio of a turn, at most 20 ms at a time, paced by the pipeline."""
        raise NotImplementedError

    def event(self, message: Any) -> None:
        """Send a ``voicebackend.events`` message."""
        raise NotImplementedError
