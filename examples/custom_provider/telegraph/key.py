"""Engine ``morse``: whoever keys is speaking, between the tones too."""

from __future__ import annotations

from telegraph.config import MorseConfig
from telegraph.sound import LOUD
from voicebackend.audio import PIPELINE_RATE, FrameCutter, to_samples
from voicebackend.interfaces import VadStream, VoiceActivityDetector

HOLD_UNITS = 8
"""Longer than the gap between two words."""


class MorseKey(VoiceActivityDetector):
    """Tones, and the gaps between them."""

    name = "morse"
    Config = MorseConfig
    frame_s = 0.02

    def __init__(self, config: MorseConfig | None = None) -> None:
        self.settings = config or MorseConfig()
        super().__init__(self.settings)

    def stream(self) -> VadStream:
        """Open a detector for one session."""
        return _Stream(round(HOLD_UNITS * self.settings.unit / self.frame_s))


class _Stream(VadStream):
    def __init__(self, hold: int) -> None:
        self._hold = hold
        self.reset()

    def process(self, pcm: bytes) -> list[float]:
        """Return 1.0 or 0.0 for each 20 ms completed."""
        return [self._judge(frame) for frame in self._cutter.push(pcm)]

    def reset(self) -> None:
        """Forget the past."""
        self._cutter, self._held = FrameCutter(PIPELINE_RATE), 0

    def _judge(self, frame: bytes) -> float:
        loud = bool((to_samples(frame) > LOUD).any())
        self._held = self._hold if loud else max(0, self._held - 1)
        return float(self._held > 0)
