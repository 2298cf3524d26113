"""Log-mel spectrograms as models of Whisper's kind want them: 80 bands, a column for each 10 ms."""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from voicebackend.audio import PIPELINE_RATE

Floats = npt.NDArray[np.floating]

BANDS = 80
_WINDOW = 400
_HOP = 160
_LINEAR_HZ = 1000.0
"""Below it mels are linear in frequency, above it logarithmic."""
_LINEAR_MELS = 15.0
_OCTAVE = np.log(6.4) / 27
_RANGE = 8.0
"""Decades below the loudest that count."""


def log_mel(samples: Floats) -> npt.NDArray[np.float32]:
    """Return an array of (80, samples / 160), about -1 to 1, of 16 kHz samples of any level."""
    scaled = (samples - samples.mean()) / np.sqrt(samples.var() + 1e-7)
    padded = np.pad(scaled, _WINDOW // 2, mode="reflect")
    starts = np.arange(len(samples) // _HOP) * _HOP
    frames = padded[starts[:, None] + np.arange(_WINDOW)] * np.hanning(_WINDOW + 1)[:-1]
    power = np.abs(np.fft.rfft(frames, axis=1)) ** 2
    loudness = np.log10(np.maximum(power @ _bands(), 1e-10))
    return np.asarray(((np.maximum(loudness, loudness.max() - _RANGE) + 4) / 4).T, np.float32)


@cache
def _bands() -> Floats:
    """Return the weight of each frequency in each band: triangles of equal area."""
    edges = _hertz(np.linspace(0, _mels(PIPELINE_RATE / 2), BANDS + 2))
    frequencies = np.fft.rfftfreq(_WINDOW, 1 / PIPELINE_RATE)[:, None]
    rising = (frequencies - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - frequencies) / (edges[2:] - edges[1:-1])
    return np.asarray(np.maximum(0, np.minimum(rising, falling)) * 2 / (edges[2:] - edges[:-2]))


def _mels(hertz: float) -> float:
    return float(_LINEAR_MELS + np.log(hertz / _LINEAR_HZ) / _OCTAVE)


def _hertz(mels: Floats) -> Floats:
    linear = mels * _LINEAR_HZ / _LINEAR_MELS
    return np.where(mels < _LINEAR_MELS, linear, _LINEAR_HZ * np.exp(_OCTAVE * (mels - _LINEAR_MELS)))
