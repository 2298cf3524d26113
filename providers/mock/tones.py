"""Speech for tests: each byte of a text is a pair of tones, so that its audio can be read back exactly.

As in telephone dialling, one tone of a low and one of a high group sound at once; here each group has 16, for half a
byte each. All lie between 400 and 3300 Hz, so speech survives resampling down to 8 kHz, mu-law and any framing.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from voicebackend.audio import Samples, to_pcm, to_samples

_LOW = 400.0 + 90.0 * np.arange(16)
_HIGH = 1900.0 + 90.0 * np.arange(16)
_SOUNDING = 0.75
"""Share of a character's time that sounds; the rest is the gap that separates it from the next."""
_FADE_S = 0.002
_SHORTEST_S = 0.012
"""Less than this of a tone is no character: it was cut off."""
_LONGEST_S = 1.0
"""No character sounds longer."""
_GAP_S = 0.004
"""Less silence than this is a beat within a character."""
_AMPLITUDE = 8000.0
"""Of each of the two tones, full scale being 32768."""
_PURE = 0.6
"""Share of the sound that the two tones must make up: speech and noise are no text."""
_LOUD = 0.1
"""Share of the highest peak from which on sound is heard."""


def speak(text: str, sample_rate: int, seconds_per_character: float = 0.06) -> bytes:
    """Return the PCM of a text; a character of several bytes takes several times as long.

    ``seconds_per_character`` is at least 0.03.
    """
    return b"".join(_character(byte, sample_rate, seconds_per_character) for byte in text.encode("utf-8", "replace"))


def spoken(pcm: bytes, sample_rate: int) -> str:
    """Return the text that this PCM speaks; what is no pair of tones is passed over."""
    return bytes(byte for byte, _ in spoken_bytes(pcm, sample_rate)).decode("utf-8", "replace")


def spoken_bytes(pcm: bytes, sample_rate: int) -> list[tuple[int, int]]:
    """Return each byte of the text that this PCM speaks, with the sample at which it begins."""
    samples = to_samples(pcm)
    found = [(_byte(samples[start:end], sample_rate), start) for start, end in _runs(samples, sample_rate)]
    return [(byte, start) for byte, start in found if byte is not None]


@lru_cache(maxsize=2048)
def _character(byte: int, rate: int, seconds: float) -> bytes:
    time = np.arange(round(rate * seconds * _SOUNDING)) / rate
    low, high = _LOW[byte >> 4], _HIGH[byte & 15]
    wave = np.sin(2 * np.pi * low * time) + np.sin(2 * np.pi * high * time)
    fade = np.clip(np.minimum(time, time[::-1]) / _FADE_S, 0, 1)
    gap = np.zeros(round(rate * seconds) - len(time))
    return to_pcm(np.concatenate((wave * fade * _AMPLITUDE, gap)))


def _runs(samples: Samples, rate: int) -> list[tuple[int, int]]:
    """Return where sound starts and ends, in samples."""
    loudness = np.abs(samples.astype(np.int32))
    if not len(loudness) or not loudness.max():
        return []
    sounding = np.flatnonzero(loudness >= max(1.0, _LOUD * loudness.max()))
    breaks = np.flatnonzero(np.diff(sounding) > _GAP_S * rate)
    starts = sounding[np.concatenate(([0], breaks + 1))]
    ends = sounding[np.concatenate((breaks, [len(sounding) - 1]))] + 1
    return [(int(start), int(end)) for start, end in zip(starts, ends, strict=True)]


def _byte(run: Samples, rate: int) -> int | None:
    if not _SHORTEST_S * rate <= len(run) <= _LONGEST_S * rate:
        return None
    step = rate // 500  # whole steps of 2 ms, so that the waves can be kept
    size = len(run) // step * step
    signal = run[:size] * np.hanning(size)
    powers = np.abs(np.einsum("ij,j->i", _waves(size, rate), signal)) ** 2  # too small for the threads of a product
    low, high = powers[:16], powers[16:]
    if low.max() + high.max() < _PURE * _pure_power(signal):
        return None
    return int(low.argmax()) << 4 | int(high.argmax())


@lru_cache(maxsize=128)
def _waves(size: int, rate: int) -> npt.NDArray[np.complex128]:
    """Return the waves to compare with, one row per tone, the low group first."""
    time = np.arange(size) / rate
    return np.asarray(np.exp(-2j * np.pi * np.concatenate((_LOW, _HIGH))[:, None] * time))


def _pure_power(signal: npt.NDArray[np.float64]) -> float:
    """Return the power that two tones have together if there is nothing else in the windowed signal."""
    window = np.hanning(len(signal))
    return float(np.sum(signal**2) * window.sum() ** 2 / (2 * np.sum(window**2)))
