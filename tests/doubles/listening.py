"""How doubles and peers of tests listen and answer: callers speak in tones, which read back exactly."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import SequenceMatcher

import numpy as np

from providers.mock.tones import speak, spoken

LOUD = 500
"""Samples above this are sound."""
QUIET_S = 0.3
"""Seconds without sound after which the caller has finished."""
CHARACTER_S = 0.05
"""Seconds that a character sounds."""
STORY = "once upon a time there was a voice that went on and on until somebody asked it to stop for a while"
"""Long enough to be interrupted: five seconds."""


@dataclass(frozen=True, slots=True)
class Noticed:
    """Something about the caller's speech; ``kind`` is ``started`` or ``stopped``, with all that was said."""

    kind: str
    text: str = ""


class Listening:
    """One caller's audio, signed 16-bit little-endian mono, to what was said."""

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._heard = bytearray()
        self._quiet = 0
        self.speaking = False

    def push(self, pcm: bytes) -> list[Noticed]:
        """Take audio of any length, whole samples; return what is noticed."""
        samples = np.abs(np.frombuffer(pcm, "<i2").astype(np.int32))
        loud = np.flatnonzero(samples > LOUD)
        found = []
        if len(loud) and not self.speaking:
            self.speaking = True
            found.append(Noticed("started"))
        if not self.speaking:
            return found
        self._heard += pcm
        self._quiet = len(samples) - 1 - int(loud[-1]) if len(loud) else self._quiet + len(samples)
        if self._quiet >= QUIET_S * self._rate:
            text = spoken(bytes(self._heard), self._rate)
            self._heard.clear()
            self._quiet, self.speaking = 0, False
            found.append(Noticed("stopped", text))
        return found


def answer_to(text: str) -> str:
    """Return what every double answers: a story if asked for one, else what it heard."""
    return STORY if "story" in text else f"you said {text}" if text else ""


def alike(heard: str, said: str, share: float = 1.0) -> bool:
    """Tell whether so much of a text arrived; less than all where packets may come too late on a busy machine."""
    return SequenceMatcher(None, heard.strip(), said.strip(), autojunk=False).ratio() >= share


def voice(text: str, sample_rate: int) -> bytes:
    """Return a text's audio."""
    return speak(text, sample_rate, CHARACTER_S)
