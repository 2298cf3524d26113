"""How much of a signal came through: signal-to-noise ratios, after the two were brought into line."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voicebackend.audio import to_pcm, to_samples

Floats = npt.NDArray[np.float64]

EDGE = 400
"""Samples left out at both ends, where filters have not heard enough."""


def snr_db(reference: bytes, signal: bytes, *, max_lag: int = 4_000) -> float:
    """Return how far the signal's deviation from the reference is below the reference, in dB; 200 for none.

    Both are PCM of one rate. The signal may be late or early by up to ``max_lag`` samples and a fraction: the lag is
    found by cross-correlation, the fraction by the phases that it turns. Its level is not adjusted.
    """
    wanted, got = aligned(reference, signal, max_lag=max_lag)
    return _ratio(wanted, got)


def segmental_snr_db(reference: bytes, signal: bytes, *, frame: int, max_lag: int = 4_000) -> float:
    """Return the mean of the frames' ratios, each within -10 to 35 dB, over the frames in which there is speech."""
    wanted, got = aligned(reference, signal, max_lag=max_lag)
    floor = np.mean(wanted**2) / 1000  # -30 dB
    starts = range(0, len(wanted) - frame, frame)
    pairs = ((wanted[at : at + frame], got[at : at + frame]) for at in starts)
    return float(np.mean([np.clip(_ratio(a, b), -10, 35) for a, b in pairs if np.mean(a**2) > floor]))


def aligned(reference: bytes, signal: bytes, *, max_lag: int = 4_000) -> tuple[Floats, Floats]:
    """Return both as floats, the signal moved to where the reference is, the same length, without their ends."""
    wanted, got = (to_samples(pcm).astype(np.float64) for pcm in (reference, signal))
    lag = _lag(wanted, got, max_lag)
    wanted, got = wanted[max(0, -lag) :], got[max(0, lag) :]
    length = min(len(wanted), len(got))
    assert length > 4 * EDGE, "too little is left to compare"
    wanted, got = wanted[:length], got[:length]
    return wanted[EDGE:-EDGE], _moved(wanted, got)[EDGE:-EDGE]


def _lag(wanted: Floats, got: Floats, max_lag: int) -> int:
    """Return how many samples the signal is late."""
    size = 1 << (len(wanted) + len(got)).bit_length()
    likeness = np.fft.irfft(np.fft.rfft(got, size) * np.conj(np.fft.rfft(wanted, size)), size)
    lags = np.concatenate((np.arange(max_lag + 1), np.arange(-max_lag, 0)))
    return int(lags[np.argmax(likeness[lags])])


def _moved(wanted: Floats, got: Floats) -> Floats:
    """Return the signal moved by the fraction of a sample that brings it nearest."""
    window = np.hanning(len(wanted))
    cross = np.fft.rfft(got * window) * np.conj(np.fft.rfft(wanted * window))
    turn = 2 * np.pi * np.arange(len(cross)) / len(wanted)
    weight = np.abs(cross)
    late = -np.sum(weight * turn * np.angle(cross)) / np.sum(weight * turn**2)
    spectrum = np.fft.rfft(got) * np.exp(1j * turn * late)
    moved: Floats = np.fft.irfft(spectrum, len(got))
    return moved if _ratio(wanted[EDGE:-EDGE], moved[EDGE:-EDGE]) > _ratio(wanted[EDGE:-EDGE], got[EDGE:-EDGE]) else got


def _ratio(wanted: Floats, got: Floats) -> float:
    noise = float(np.mean((got - wanted) ** 2))
    return 200.0 if noise == 0 else float(10 * np.log10(np.mean(wanted**2) / noise))


def sine(rate: int, hertz: float, *, seconds: float = 1.0, amplitude: float = 10_000.0) -> bytes:
    """Return a sine; full scale is 32767."""
    return to_pcm(amplitude * np.sin(2 * np.pi * hertz * np.arange(round(rate * seconds)) / rate))


def sweep(rate: int, *, first: float, last: float, seconds: float = 2.0, amplitude: float = 10_000.0) -> bytes:
    """Return a sine that rises evenly from the first to the last frequency."""
    time = np.arange(round(rate * seconds)) / rate
    return to_pcm(amplitude * np.sin(2 * np.pi * (first + (last - first) * time / (2 * seconds)) * time))
