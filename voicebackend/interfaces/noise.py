"""Noise cancellation."""

from __future__ import annotations

from voicebackend.interfaces.engine import Engine


class NoiseStream:
    """One session's noise canceller; cheap enough for the event loop."""

    def process(self, pcm: bytes) -> bytes:
        """Clean 16 kHz audio; what comes out may lag and is as long as what went in, over time."""
        raise NotImplementedError


class NoiseCanceller(Engine):
    """Removes noise before speech is detected and recognised."""

    def stream(self) -> NoiseStream:
        """Open a canceller for one session."""
        raise NotImplementedError
