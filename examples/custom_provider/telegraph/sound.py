"""Morse code as sound, there and back; pure.

A dash lasts three dots, a gap within a letter one, between letters three, between words seven.
"""

from __future__ import annotations

import numpy as np

from telegraph.code import READ, keyed
from voicebackend.audio import from_floats, to_samples

PITCH_HZ = 600
LOUDNESS = 0.4
LOUD = 1_000
"""Samples above this are a tone."""
WINDOW_S = 0.005
"""Sound is looked at in such pieces."""


def key(word: str, sample_rate: int, unit_s: float) -> bytes:
    """Return a word's PCM, with the gap that follows it; none for a word without letters."""
    dot = round(unit_s * sample_rate)
    tone = LOUDNESS * np.sin(2 * np.pi * PITCH_HZ / sample_rate * np.arange(3 * dot))
    parts = []
    for signs in keyed(word):
        for sign in signs:
            parts += [tone[: dot if sign == "." else 3 * dot], np.zeros(dot)]
        parts.append(np.zeros(2 * dot))
    return from_floats(np.concatenate([*parts, np.zeros(4 * dot)])) if parts else b""


def read(pcm: bytes, sample_rate: int, unit_s: float) -> str:
    """Return the words in PCM; signs that are no letter are left out."""
    text, signs = "", ""
    for tone_s, gap_s in _tones(pcm, sample_rate):
        signs += "." if tone_s < 2 * unit_s else "-"
        if gap_s > 2 * unit_s:
            text, signs = text + READ.get(signs, ""), ""
        if gap_s > 5 * unit_s:
            text += " "
    return text.strip()


def _tones(pcm: bytes, sample_rate: int) -> list[tuple[float, float]]:
    """Return the seconds of each tone, and of the gap that follows it, endless after the last."""
    size = round(WINDOW_S * sample_rate)
    samples = to_samples(pcm)
    windows = samples[: len(samples) // size * size].reshape(-1, size)
    loud = (windows > LOUD).any(axis=1)
    edges = np.flatnonzero(np.diff(loud, prepend=False, append=False)) * WINDOW_S
    begins, ends = edges[::2], edges[1::2]
    return list(zip(ends - begins, [*(begins[1:] - ends[:-1]), np.inf], strict=True)) if len(edges) else []
