"""Sound, offline: rates, levels, noises, a telephone line. Arrays of floats at 16 kHz unless told otherwise."""

from __future__ import annotations

import wave
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from voicebackend.audio import PIPELINE_RATE, from_floats

Signal = npt.NDArray[np.float64]
SPEECH_DBFS = -23.0
"""Level of everybody's speech, where there is speech."""
ROOM_DBFS = -62.0
"""Level of the quietest room."""


def read(path: Path) -> Signal:
    """Return a mono 16-bit file of any rate."""
    with wave.open(str(path), "rb") as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
        return resampled(samples, file.getframerate() / PIPELINE_RATE)


def resampled(signal: Signal, times: float) -> Signal:
    """Return a signal made shorter ``times`` over: of another rate, or of another pitch."""
    size = round(len(signal) / times)
    spectrum = np.fft.rfft(signal)[: size // 2 + 1]
    padded = np.pad(spectrum, (0, size // 2 + 1 - len(spectrum)))
    return np.asarray(np.fft.irfft(padded, size) * size / len(signal), np.float64)


def levels(signal: Signal, frame: int = PIPELINE_RATE // 100) -> Signal:
    """Return the level of each 10 ms, in dBFS."""
    whole = len(signal) // frame
    power = np.mean(signal[: whole * frame].reshape(whole, frame) ** 2, axis=1)
    return np.asarray(10 * np.log10(power + 1e-10), np.float64)


def levelled(signal: Signal) -> Signal:
    """Return speech at the level of everybody's."""
    loud = levels(signal)
    spoken = loud[loud > np.percentile(loud, 95) - 20]
    return signal * float(10 ** ((SPEECH_DBFS - np.mean(spoken)) / 20))


def rms_dbfs(signal: Signal) -> float:
    """Return the level of the whole."""
    return float(10 * np.log10(np.mean(signal**2) + 1e-12))


def white(size: int, rng: np.random.Generator) -> Signal:
    """Hiss."""
    return rng.normal(size=size)


def pink(size: int, rng: np.random.Generator) -> Signal:
    """A room, traffic far away: 3 dB less each octave."""
    spectrum = np.fft.rfft(rng.normal(size=size))
    return np.asarray(np.fft.irfft(spectrum / np.sqrt(np.maximum(np.arange(len(spectrum)), 20)), size), np.float64)


def hum(size: int, rng: np.random.Generator) -> Signal:
    """Mains and their harmonics, and a fan."""
    time = np.arange(size) / PIPELINE_RATE
    tones = np.sum([np.sin(2 * np.pi * 50 * k * time + rng.uniform(0, 6)) / k for k in range(1, 8)], axis=0)
    fan = pink(size, rng)
    return np.asarray(tones + 0.6 * fan / np.std(fan), np.float64)


def slams(size: int, rng: np.random.Generator) -> Signal:
    """Doors: a low burst every two seconds."""
    return _bursts(size, np.cumsum(rng.normal(size=6400)) * np.exp(-np.arange(6400) / 900))


def coughs(size: int, rng: np.random.Generator) -> Signal:
    """Two puffs through a throat, every two seconds."""
    spectrum = np.fft.rfft(rng.normal(size=5600))
    hertz = np.fft.rfftfreq(5600, 1 / PIPELINE_RATE)
    throat = np.exp(-(((hertz - 900) / 700) ** 2)) + 0.5 * np.exp(-(((hertz - 2600) / 900) ** 2))
    time = np.arange(5600) / PIPELINE_RATE
    puffs = np.exp(-14 * time) + 0.7 * (time > 0.17) * np.exp(-16 * np.maximum(time - 0.17, 0))
    return _bursts(size, np.fft.irfft(spectrum * throat, 5600) * puffs)


def _bursts(size: int, burst: Signal) -> Signal:
    signal = np.zeros(size)
    for start in range(PIPELINE_RATE // 2, size - len(burst), 2 * PIPELINE_RATE):
        signal[start : start + len(burst)] += burst
    return signal


def clicks(size: int, rng: np.random.Generator) -> Signal:
    """A keyboard: four short bursts a second."""
    signal = np.zeros(size)
    for start in rng.integers(0, max(1, size - 400), size // 4000):
        signal[start : start + 400] += rng.normal(size=len(signal[start : start + 400])) * np.exp(-np.arange(400) / 60)
    return signal


NOISES: Mapping[str, Callable[[int, np.random.Generator], Signal]] = {
    "white": white,
    "pink": pink,
    "hum": hum,
    "clicks": clicks,
    "slams": slams,
    "coughs": coughs,
}


def noise(kind: str, size: int, dbfs: float, rng: np.random.Generator) -> Signal:
    """Return noise of a level."""
    signal = NOISES[kind](size, rng)
    return signal * 10 ** ((dbfs - rms_dbfs(signal)) / 20)


def telephone(signal: Signal) -> Signal:
    """Return what 8 kHz, 300 to 3400 Hz and mu-law leave."""
    spectrum = np.fft.rfft(signal)
    frequencies = np.fft.rfftfreq(len(signal), 1 / PIPELINE_RATE)
    spectrum[(frequencies < 300) | (frequencies > 3400)] = 0
    narrow = np.clip(np.fft.irfft(spectrum, len(signal)), -1, 1)
    steps = np.round(np.sign(narrow) * np.log1p(255 * np.abs(narrow)) / np.log(256) * 127) / 127
    return np.asarray(np.sign(steps) * np.expm1(np.abs(steps) * np.log(256)) / 255)


def to_pcm(signal: Signal) -> bytes:
    """Return 16-bit PCM."""
    return from_floats(np.clip(signal, -1, 1))
