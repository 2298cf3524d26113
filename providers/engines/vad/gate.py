"""Spares a voice model the audio that is as quiet as the line itself: most of a call, from a listener's side.

Only levels are looked at, and only what cannot be speech is held back; whatever rises above the line's own noise, and
half a second after it, is for the model to judge.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

OPEN_DB = 6.0
"""Above the line's noise from which on the model is asked."""
HOLD_WINDOWS = 16
"""Windows for which it goes on being asked: 0.5 s, so that it hears how speech ends."""
RISE_DB = 0.1
"""By which the noise is taken to have risen with each louder window: 3 dB a second."""
LOWEST_DB, HIGHEST_DB = -80.0, -35.0
"""Bounds of what can be a line's noise; louder than the second is always for the model."""


class Gate:
    """One session's."""

    def __init__(self) -> None:
        self._noise_db = LOWEST_DB
        self._hold = 0

    def __repr__(self) -> str:
        return f"<Gate [noise {self._noise_db:.0f} dBFS, {'open' if self._hold else 'closed'}]>"

    def opens(self, samples: npt.NDArray[np.float32]) -> bool:
        """Tell whether the model is to judge this window; samples from -1 to 1."""
        level_db = 10 * math.log10(float(np.dot(samples, samples)) / len(samples) + 1e-12)
        rise_db = min(RISE_DB, level_db - self._noise_db) if level_db > self._noise_db else level_db - self._noise_db
        loud = level_db > self._noise_db + OPEN_DB
        self._noise_db = min(HIGHEST_DB, max(LOWEST_DB, self._noise_db + rise_db))
        self._hold = HOLD_WINDOWS if loud else max(0, self._hold - 1)
        return self._hold > 0
