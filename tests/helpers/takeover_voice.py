"""A voice whose audio is never the same twice, and which reads back exactly all the same."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator

import numpy as np

from voicebackend.audio import PIPELINE_RATE
from voicebackend.interfaces import TextToSpeech, WordTime

LETTER_S = 0.06
"""Seconds that a letter sounds, more or less."""


class StretchedVoice(TextToSpeech):
    """Speaks letters at a pace that differs on each call; every letter is told from the one before."""

    name = "stretched"
    sample_rate = PIPELINE_RATE

    def __init__(self, rng: random.Random, *, timed: bool = False) -> None:
        super().__init__()
        self._rng, self._timed, self._parity = rng, timed, 0

    async def synthesize(self, text: str) -> AsyncIterator[bytes | WordTime]:
        """Yield the audio, 0.2 s at a time, faster than it is spoken."""
        size = round(LETTER_S * PIPELINE_RATE * self._rng.uniform(0.85, 1.2))
        await asyncio.sleep(0.08)
        pcm, at = b"", 0
        for word in text.split(" "):
            for letter in f"{word} ":
                self._parity ^= 1
                pcm += np.full(size, ord(letter) * 100 + 50 * self._parity, "<i2").tobytes()
            if self._timed and word:
                yield WordTime(word, at * size / PIPELINE_RATE, (at + len(word)) * size / PIPELINE_RATE)
            at += len(word) + 1
        for start in range(0, len(pcm), 6400):
            yield pcm[start : start + 6400]
            await asyncio.sleep(0.04)


def letters(pcm: bytes) -> str:
    """Return the letters of a stretched voice's audio; one that was cut off is among them."""
    samples = np.frombuffer(pcm, "<i2")
    samples = samples[samples >= 900]
    if not len(samples):
        return ""
    starts = [0, *(np.flatnonzero(np.diff(samples)) + 1).tolist()]
    return "".join(chr(int(samples[start]) // 100) for start in starts)
