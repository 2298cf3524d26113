"""The soft tone that tells a caller that the line is alive while a model does not answer. Pure; moments are seconds."""

from __future__ import annotations

import numpy as np

from voicebackend.audio import to_pcm
from voicebackend.levels import FULL_SCALE

AFTER_S = 1.2
"""Seconds of silence after which it sounds, and sounds again."""
TONE_S = 0.3
_NOTES_HZ = (440.0, 660.0)
_LEVEL = 0.03
"""Of full scale: as loud as a quiet room."""


class HoldTone:
    """One session's: when it is due, and how much of what is played it makes up."""

    def __init__(self, sample_rate: int, *, wanted: bool) -> None:
        self._rate, self._wanted = sample_rate, wanted
        self._silent_since: float | None = None
        self._sounds = False

    @property
    def due(self) -> float | None:
        """When it is to sound; None while nobody waits for an answer."""
        return None if self._silent_since is None else self._silent_since + AFTER_S

    def waits(self, since: float) -> None:
        """Hear that the caller is to be answered, and has heard nothing since then."""
        if self._wanted and self._silent_since is None:
            self._silent_since = since

    def sound(self, now: float) -> bytes:
        """Return its audio, which is played from now on."""
        self._silent_since, self._sounds = now + TONE_S, True
        return _tone(self._rate)

    def over(self) -> bool:
        """Hear that an answer begins, or that none is waited for any more; tell whether it had sounded."""
        sounded, self._silent_since, self._sounds = self._sounds, None, False
        return sounded


def _tone(sample_rate: int) -> bytes:
    moments = np.arange(round(TONE_S * sample_rate)) / sample_rate
    swell = np.sin(np.pi * moments / TONE_S) ** 2
    wave = sum(np.sin(2 * np.pi * hz * moments) for hz in _NOTES_HZ) / len(_NOTES_HZ)
    return to_pcm(wave * swell * _LEVEL * FULL_SCALE)
