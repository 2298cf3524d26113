"""Engine ``energy``: speech is what is louder than the room. Needs nothing but numpy; only for quiet places."""

from __future__ import annotations

import math

from voicebackend.audio import PIPELINE_RATE, FrameCutter, level_dbfs
from voicebackend.interfaces import VadStream, VoiceActivityDetector

_FRAME_S = 0.02
_START_FLOOR_DBFS = -50.0
_LOWEST_FLOOR_DBFS = -65.0
"""A floor of digital silence would make every breath speech."""
_RISE_DB = 6.0 * _FRAME_S
"""The floor follows louder noise slowly, 6 dB a second, so that it does not follow speech."""
_FALL = 0.1
"""And quieter noise fast: a tenth of the way each frame."""
_MARGIN_DB = 12.0
"""Above the floor at which speech is as likely as not."""
_SLOPE_DB = 2.0


class EnergyVad(VoiceActivityDetector):
    """An adaptive noise floor."""

    name = "energy"
    frame_s = _FRAME_S

    def stream(self) -> VadStream:
        """Open a detector for one session."""
        return _Stream()


class _Stream(VadStream):
    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        self._cutter = FrameCutter(PIPELINE_RATE)
        self._floor = _START_FLOOR_DBFS

    def process(self, pcm: bytes) -> list[float]:
        """Return a probability for each 20 ms completed."""
        return [self._judge(level_dbfs(frame)) for frame in self._cutter.push(pcm)]

    def _judge(self, level: float) -> float:
        if level > self._floor:
            self._floor += min(_RISE_DB, level - self._floor)
        else:
            self._floor = max(_LOWEST_FLOOR_DBFS, self._floor + _FALL * (level - self._floor))
        return 1.0 / (1.0 + math.exp(-(level - self._floor - _MARGIN_DB) / _SLOPE_DB))
