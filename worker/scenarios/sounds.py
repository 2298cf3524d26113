"""What is heard at the caller's: speech in tones, and noises. A noise's loudness tells how much like speech it is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from voicebackend.audio import PIPELINE_RATE, to_pcm, to_samples
from worker.scenarios.steps import NoiseKind

SPEECH_PEAK = 7000
"""Audio with a sample above this is speech: mock speech goes up to 16000."""
_FLOOR, _SPAN = 400.0, 5000.0
"""Peaks of noises that are not at all, and just like, speech: from ``_FLOOR`` on, ``_SPAN`` further."""
_WINDOW = 160
"""Samples over which a noise is levelled, so that every frame of it has its peak."""

Wave = npt.NDArray[np.float64]


def likeness(pcm: bytes) -> float:
    """Return how much like speech this sounds to the scripted voice detector, 0 to 1."""
    samples = to_samples(pcm)
    peak = max(int(samples.max()), -int(samples.min())) if len(samples) else 0
    return 0.98 if peak > SPEECH_PEAK else min(1.0, max(0.0, (peak - _FLOOR) / _SPAN))


def scripted_noise(kind: NoiseKind, seconds: float, like_speech: float) -> bytes:
    """Return 16 kHz audio of a noise that the scripted detector finds so much like speech."""
    wave = shape(kind, seconds)
    pieces = [wave[start : start + _WINDOW] for start in range(0, len(wave), _WINDOW)]
    peak = _FLOOR + _SPAN * like_speech
    return to_pcm(np.concatenate([piece * (peak / max(1e-9, float(np.abs(piece).max()))) for piece in pieces]))


def shape(kind: NoiseKind, seconds: float) -> Wave:
    """Return a noise's waveform from -1 to 1 at 16 kHz; always the same."""
    time = np.arange(max(1, round(seconds * PIPELINE_RATE))) / PIPELINE_RATE
    rough = np.random.default_rng(len(kind)).uniform(-1, 1, len(time))
    wave: Wave
    match kind:
        case NoiseKind.COUGH:
            wave = _low_pass(rough, 8) * np.exp(-6 * (time % 0.3))
        case NoiseKind.SLAM:
            wave = (_low_pass(rough, 40) + 0.5 * np.sin(2 * np.pi * 70 * time)) * np.exp(-12 * time)
        case NoiseKind.HUM:
            wave = sum((np.sin(2 * np.pi * 50 * n * time) / n for n in (1, 2, 3, 5)), np.zeros(len(time)))
        case NoiseKind.MUSIC:
            notes = np.array([262, 330, 392, 523])[(time * 3).astype(int) % 4]
            wave = np.sin(2 * np.pi * notes * time) + 0.4 * np.sin(4 * np.pi * notes * time)
        case NoiseKind.BABBLE | NoiseKind.ECHO:
            wave = _low_pass(rough, 4) * (1 + np.sin(2 * np.pi * 4 * time)) / 2
    return wave / max(1e-9, float(np.abs(wave).max()))


def _low_pass(wave: Wave, width: int) -> Wave:
    return np.convolve(wave, np.ones(width) / width, "same")
