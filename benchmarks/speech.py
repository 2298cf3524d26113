"""What callers say: 20 ms frames of 16 kHz PCM, and which of them are really speech."""

from __future__ import annotations

import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

RATE = 16_000
FRAME_S = 0.02
FRAME_SAMPLES = round(RATE * FRAME_S)
VOICES = Path(__file__).parents[1] / "tests" / "data" / "voices"
_BELOW_PEAK_DB, _ABOVE_FLOOR_DB = 30.0, 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Saying:
    """One thing that a caller says."""

    frames: tuple[bytes, ...]
    onset: int
    """The first frame of speech."""
    end: int
    """The last frame of speech."""
    name: str = ""

    def trimmed(self) -> Saying:
        """Return the speech alone, without what is before and after it."""
        frames = self.frames[self.onset : self.end + 1]
        return Saying(frames=frames, onset=0, end=len(frames) - 1, name=self.name)


def voiced_sound(seconds: float = 1.5) -> Saying:
    """Return a hum of 120 Hz with nine overtones, four syllables a second: loud from the first sample to the last."""
    time = np.arange(round(seconds * RATE)) / RATE
    wave_ = sum(np.sin(2 * np.pi * 120 * n * time) / n for n in range(1, 11))
    frames = _frames(5000 * wave_ * (0.7 + 0.3 * np.sin(2 * np.pi * 4 * time)))
    return Saying(frames=frames, onset=0, end=len(frames) - 1)


def recordings() -> tuple[Saying, ...]:
    """Return the recorded voices of the tests, human and synthetic, whole: breath before, reverberation after."""
    return tuple(_recording(path) for path in sorted(VOICES.glob("*.wav")))


def quiet() -> bytes:
    """Return a frame of faint noise, 72 dB below full scale: what a caller sends who says nothing."""
    return _frames(np.random.default_rng(1).integers(-8, 9, FRAME_SAMPLES).astype(np.float64))[0]


def _recording(path: Path) -> Saying:
    """Find the speech by its level: within 30 dB of the loudest frame, and 8 dB above the recording's own noise.

    It begins with the first 60 ms of that, so not with a click; it ends with the last frame of that, however short.
    """
    with wave.open(str(path), "rb") as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float64)
    blocks = samples[: len(samples) // FRAME_SAMPLES * FRAME_SAMPLES].reshape(-1, FRAME_SAMPLES)
    level = 10 * np.log10(np.mean(blocks**2, axis=1) + 1.0)
    loud = level > max(float(level.max()) - _BELOW_PEAK_DB, float(np.percentile(level, 5)) + _ABOVE_FLOOR_DB)
    begins = np.flatnonzero(loud[:-2] & loud[1:-1] & loud[2:])
    end = int(np.flatnonzero(loud)[-1])
    return Saying(frames=_frames(blocks.ravel()), onset=int(begins[0]), end=end, name=path.stem)


def _frames(samples: npt.NDArray[np.float64]) -> tuple[bytes, ...]:
    pcm = np.rint(samples).astype("<i2").tobytes()
    size = FRAME_SAMPLES * 2
    return tuple(pcm[at : at + size] for at in range(0, len(pcm) - size + 1, size))
