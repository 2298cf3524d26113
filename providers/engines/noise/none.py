"""Engine ``none``: noise stays."""

from __future__ import annotations

from voicebackend.interfaces import NoiseCanceller, NoiseStream


class NoNoise(NoiseCanceller):
    """Hands audio on as it is; for callers whose device cancels noise already."""

    name = "none"

    def stream(self) -> NoiseStream:
        """Open a canceller for one session."""
        return _Stream()


class _Stream(NoiseStream):
    def process(self, pcm: bytes) -> bytes:
        """Return the audio as it is."""
        return pcm
