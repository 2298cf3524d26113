"""How loud audio is: a meter for callers' and a limiter for agents'. Pure; what is not too loud passes in every bit."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from voicebackend.audio import AudioFormat, Samples, to_samples

FULL_SCALE = 32768.0
CLIPPED_FROM = 32_000
"""From this magnitude on a sample counts as cut off: a little below the end of the scale of G.711."""
CLIPPED_SAMPLES = 4
"""So many of them in a piece are no coincidence."""
LOUD = 10 ** (-8 / 20)
"""Root mean square over 100 ms, of full scale, above which speech is turned down: -8 dB; speech is about -20."""
QUIET = 10 ** (-50 / 20)
"""Below it there is a pause, in which the gain stays as it is."""
KNEE = 26_000
"""Magnitude up to which a sample is left alone: -2 dB."""
CEILING = 32_000
"""Magnitude that no sample exceeds: -0.2 dB."""
_RELEASE = 10 ** (0.3 / 20)  # of the gain in 100 ms: 3 dB a second


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a piece of audio was like."""

    level_dbfs: float
    """Root mean square without the offset; -120 dB for silence."""
    offset: float
    """Direct current, from -1 to 1."""
    clipped: bool


class Meter:
    """Looks at one piece in fifty, once a second of 20 ms pieces: enough for a histogram, and no time lost."""

    def __init__(self, *, every: int = 50) -> None:
        self._every, self._count = every, 0

    def push(self, pcm: bytes) -> Reading | None:
        """Return a reading of the first piece and then of every fiftieth, None for the others."""
        if not pcm:
            return None
        self._count += 1
        return measure(pcm) if self._count % self._every == 1 % self._every else None


def measure(pcm: bytes) -> Reading:
    """Return what this audio is like; it has one sample or more."""
    samples = to_samples(pcm).astype(np.float64)
    mean = float(samples.sum()) / len(samples)
    power = max(0.0, float(samples @ samples) / len(samples) - mean * mean) / FULL_SCALE**2  # whole numbers: exact
    loud = max(float(samples.max()), -float(samples.min())) >= CLIPPED_FROM
    clipped = loud and int(np.count_nonzero(np.abs(samples) >= CLIPPED_FROM)) >= CLIPPED_SAMPLES
    level = max(-120.0, 10 * math.log10(power + 1e-12))
    return Reading(level_dbfs=level, offset=mean / FULL_SCALE, clipped=clipped)


class Limiter:
    """Turns a stream down that is too loud, within 0.2 s, and back up by 3 dB a second; peaks are rounded off at once.

    The gain follows whole blocks of 100 ms and stays in pauses, so that it is not heard to move. Nothing is delayed,
    and how the stream is cut into pieces shows in no bit of it.
    """

    def __init__(self, sample_rate: int) -> None:
        self._block = AudioFormat(sample_rate=sample_rate).sample_rate // 10  # samples
        self._from = self._to = 1.0  # the gain at the beginning and at the end of the block
        self._energy, self._filled = 0.0, 0  # of the block, so far

    @property
    def gain(self) -> float:
        """What the block under way is multiplied with at its end; 1 for audio that is not too loud."""
        return self._to

    def process(self, pcm: bytes) -> bytes:
        """Return the next piece of the stream, of any even number of bytes, no louder than it may be."""
        samples, at, out = to_samples(pcm), 0, []
        while at < len(samples):
            part = samples[at : at + self._block - self._filled]
            out.append(self._limited(part))
            at += len(part)
        return out[0].tobytes() if len(out) == 1 else b"".join(piece.tobytes() for piece in out)

    def _limited(self, part: Samples) -> Samples:
        """Return a part of one block, and count it."""
        exact = part.astype(np.float64)
        self._energy += float(exact @ exact)  # whole numbers: exact
        begin, self._filled = self._filled, self._filled + len(part)
        if self._from != 1.0 or self._to != 1.0:
            ramp = np.arange(begin + 1, self._filled + 1) * ((self._to - self._from) / self._block) + self._from
            part = np.rint(exact * ramp).astype(np.int16)
        if self._filled == self._block:
            rms = (self._energy / self._block) ** 0.5 / FULL_SCALE
            self._from, self._to = self._to, next_gain(self._to, rms)
            self._energy, self._filled = 0.0, 0
        if part.max() <= KNEE and part.min() >= -KNEE:
            return part
        rounded: Samples = _rounded_off()[part.view(np.uint16)]
        return rounded


def next_gain(gain: float, rms: float) -> float:
    """Return the gain after a block whose root mean square, of full scale, was ``rms`` as it came in."""
    if rms > LOUD:
        return min(gain * _RELEASE, LOUD / rms)
    return gain if rms < QUIET else min(gain * _RELEASE, 1.0)


@cache
def _rounded_off() -> Samples:
    """Return what becomes of each sample, taken as unsigned: itself up to the knee, then ever nearer the ceiling."""
    sample = np.arange(1 << 16, dtype=np.uint16).view(np.int16).astype(np.float64)
    above: npt.NDArray[np.float64] = np.maximum(np.abs(sample) - KNEE, 0.0)
    room = CEILING - KNEE
    magnitude = np.minimum(np.abs(sample), KNEE) + room * np.tanh(above / room)
    rounded: Samples = np.rint(np.copysign(magnitude, sample)).astype(np.int16)
    return rounded
