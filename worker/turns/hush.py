"""That a voice has stopped, by level alone, well before a voice detector is sure of it: recognition can begin.

Only a hint. Whether the caller paused is for the detector to say; in noise as loud as the voice, it does so alone.
"""

from __future__ import annotations

DROP_DB = 18.0
"""Below the voice's own level that is hush: syllables differ by less for as long as this takes."""
LEAST_DROP_DB = 12.0
"""Where the line's noise leaves no room for that: this, if it is down at the noise."""
AT_NOISE_DB = 6.0
"""Above the noise that is still down at it."""
HUSH_S = 0.08
"""Seconds of it that are more than the closure before a "t" or "k"."""
FALL_DB_PER_S = 3.0
"""By which the voice's level is forgotten: callers turn away from the microphone."""
NOISE_RISE_DB_PER_S, NOISE_FALL_S = 1.0, 0.2
"""How the noise is followed: slowly up, for most of what is louder is speech; down within this time."""
QUIETEST_DB = -80.0
"""Less than this is no line's noise."""


class Hush:
    """One caller's; levels are dB relative to full scale. It hears everything, and is reset when a turn begins."""

    def __init__(self) -> None:
        self._noise_db = -50.0
        self.reset()

    def __repr__(self) -> str:
        return f"<Hush [voice {self._voice_db:.0f} dB, noise {self._noise_db:.0f} dB, low for {self._low_s:.2f} s]>"

    @property
    def loud(self) -> bool:
        """Whether the voice sounds."""
        return self._low_s == 0.0

    def reset(self) -> None:
        """Begin a turn."""
        self._voice_db = -120.0
        self._low_s = 0.0

    def step(self, level_db: float, seconds: float) -> bool:
        """Take a piece of audio; return True for the one with which the voice has stopped."""
        self._voice_db = max(level_db, self._voice_db - FALL_DB_PER_S * seconds)
        self._follow_noise(level_db, seconds)
        at_noise_db = min(self._voice_db - LEAST_DROP_DB, self._noise_db + AT_NOISE_DB)
        if level_db > max(self._voice_db - DROP_DB, at_noise_db):
            self._low_s = 0.0
            return False
        before, self._low_s = self._low_s, self._low_s + seconds
        return before < HUSH_S - 1e-9 <= self._low_s

    def _follow_noise(self, level_db: float, seconds: float) -> None:
        difference = level_db - self._noise_db
        if difference > 0:
            change = min(difference, NOISE_RISE_DB_PER_S * seconds)
        else:
            change = difference * min(1.0, seconds / NOISE_FALL_S)
        self._noise_db = max(QUIETEST_DB, self._noise_db + change)
