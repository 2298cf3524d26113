"""Audio as this project carries it: signed 16-bit little-endian mono PCM, in frames of 20 ms.

Pure functions and small streaming converters over numpy; nothing here does I/O or reads a clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import gcd

import numpy as np
import numpy.typing as npt

from voicebackend.errors import InvalidFormat

FRAME_MS = 20
"""Milliseconds in a frame, everywhere."""
SAMPLE_BYTES = 2
"""Bytes in a sample."""
PIPELINE_RATE = 16_000
"""Hz of caller audio between gateway and worker."""
MIN_RATE, MAX_RATE = 8_000, 48_000
"""Hz a caller may use."""

Samples = npt.NDArray[np.int16]


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioFormat:
    """How PCM is to be read."""

    sample_rate: int = PIPELINE_RATE
    """Hertz, 8000 to 48000."""

    def __post_init__(self) -> None:
        if not MIN_RATE <= self.sample_rate <= MAX_RATE:
            raise InvalidFormat(
                "audio_format", f"sample_rate must be {MIN_RATE} to {MAX_RATE} Hz", details={"field": "sample_rate"}
            )

    @property
    def frame_bytes(self) -> int:
        """Bytes in one 20 ms frame."""
        return self.sample_rate * FRAME_MS // 1000 * SAMPLE_BYTES

    def duration_s(self, pcm: bytes) -> float:
        """Return how many seconds this PCM lasts."""
        return len(pcm) / SAMPLE_BYTES / self.sample_rate

    def silence(self, seconds: float) -> bytes:
        """Return this many seconds of digital silence."""
        return bytes(round(seconds * self.sample_rate) * SAMPLE_BYTES)


@dataclass(frozen=True, slots=True, kw_only=True)
class AudioFrame:
    """A piece of mono audio and where it stands in its stream."""

    pcm: bytes
    """Signed 16-bit little-endian samples, an even number of bytes."""
    sample_rate: int = PIPELINE_RATE
    """Hertz."""
    seq: int = 0
    """Counts up by one from the stream's first frame."""

    @property
    def duration_ms(self) -> float:
        """Milliseconds of audio in the frame."""
        return len(self.pcm) / SAMPLE_BYTES / self.sample_rate * 1000


class FrameCutter:
    """Cuts PCM of any length into 20 ms frames and carries the rest, an odd half sample included, over."""

    def __init__(self, sample_rate: int) -> None:
        self._frame_bytes = AudioFormat(sample_rate=sample_rate).frame_bytes
        self._rest = b""

    def push(self, pcm: bytes) -> list[bytes]:
        """Take PCM in and return the frames that are complete."""
        data = self._rest + pcm
        whole = len(data) - len(data) % self._frame_bytes
        self._rest = data[whole:]
        return [data[i : i + self._frame_bytes] for i in range(0, whole, self._frame_bytes)]

    def flush(self) -> bytes:
        """Return the samples that wait for a whole frame; an odd byte stays behind."""
        even = len(self._rest) - len(self._rest) % SAMPLE_BYTES
        pcm, self._rest = self._rest[:even], self._rest[even:]
        return pcm


class Resampler:
    """Converts a stream of PCM between two rates with a polyphase filter; delay 1 to 2 ms, state a few hundred bytes.

    Images and aliases are below -80 dB (Kaiser window, 16 zero crossings each side).
    """

    _HALF = 16

    def __init__(self, source_rate: int, target_rate: int) -> None:
        for rate in (source_rate, target_rate):
            AudioFormat(sample_rate=rate)  # raises where it is out of range
        common = gcd(source_rate, target_rate)
        self._up, self._down = target_rate // common, source_rate // common
        self._phases = _phases(self._up, self._down, self._HALF)
        self._taps = self._phases.shape[1]
        self._history = np.zeros(self._taps - 1, np.float32)
        self._position = 0  # of the next output, in steps of 1/up input samples, from the history's end

    def process(self, pcm: bytes) -> bytes:
        """Convert the next piece of the stream; its length may be any even number of bytes."""
        if self._up == self._down:
            return pcm
        fresh = np.frombuffer(pcm, "<i2").astype(np.float32)
        signal = np.concatenate((self._history, fresh))
        count = max(0, -(-(len(fresh) * self._up - self._position) // self._down))
        at = self._position + np.arange(count) * self._down
        start, phase = at // self._up, (at % self._up) * len(self._phases) // self._up
        windows = np.lib.stride_tricks.sliding_window_view(signal, self._taps)[start] if count else signal[:0, None]
        out = np.einsum("ij,ij->i", windows, self._phases[phase]) if count else np.zeros(0, np.float32)
        self._position += count * self._down - len(fresh) * self._up
        self._history = signal[len(signal) - (self._taps - 1) :]
        return to_pcm(out)


_MAX_PHASES = 512
"""Rates without a small common ratio share this many filters: bounded memory, about 54 dB."""


@lru_cache(maxsize=64)
def _phases(up: int, down: int, half: int) -> npt.NDArray[np.float32]:
    """Return the low-pass filter's branches, one row per output phase, newest input sample last."""
    count = min(up, _MAX_PHASES)
    stretch = max(up, down) / up  # input samples per zero crossing
    taps = 2 * int(np.ceil(half * stretch))
    centre = taps / 2
    offsets = np.arange(taps) - (centre - 1)  # of each tap from the output's place, in input samples
    rows = offsets[None, :] - (np.arange(count) / count)[:, None]
    window = np.i0(9.0 * np.sqrt(np.clip(1 - (rows / centre) ** 2, 0, None))) / np.i0(9.0)
    cutoff = 0.92 / stretch
    filters = np.sinc(rows * cutoff) * window
    return np.ascontiguousarray(filters / filters.sum(axis=1, keepdims=True), np.float32)


def resample(pcm: bytes, source_rate: int, target_rate: int) -> bytes:
    """Convert a whole buffer between two rates, its start kept in place and its end flushed out."""
    if source_rate == target_rate:
        return pcm
    stream = Resampler(source_rate, target_rate)
    lead = stream._taps // 2 * SAMPLE_BYTES  # noqa: SLF001 - same concept
    wanted = round(len(pcm) / SAMPLE_BYTES * target_rate / source_rate)
    out = stream.process(pcm + bytes(lead))
    delay = round(lead / SAMPLE_BYTES * target_rate / source_rate)
    return out[delay * SAMPLE_BYTES : (delay + wanted) * SAMPLE_BYTES]


def to_samples(pcm: bytes) -> Samples:
    """View PCM as int16 samples."""
    if len(pcm) % SAMPLE_BYTES:
        raise InvalidFormat("to_samples", "PCM of 16-bit samples has an even number of bytes")
    return np.frombuffer(pcm, "<i2")


def to_floats(pcm: bytes) -> npt.NDArray[np.float32]:
    """Return PCM as floats from -1 to 1."""
    return to_samples(pcm).astype(np.float32) / 32768.0


def to_pcm(samples: npt.NDArray[np.floating]) -> bytes:
    """Return samples on the int16 scale as PCM, rounded and clipped."""
    return bytes(np.clip(np.rint(samples), -32768, 32767).astype("<i2").tobytes())


def from_floats(samples: npt.NDArray[np.floating]) -> bytes:
    """Return floats from -1 to 1 as PCM, rounded and clipped."""
    return to_pcm(samples * 32768.0)


def level_dbfs(pcm: bytes) -> float:
    """Return the root mean square level relative to full scale, -120 dB for silence."""
    if not pcm:
        return -120.0
    power = float(np.mean(np.square(to_floats(pcm))))
    return max(-120.0, 10 * float(np.log10(power + 1e-12)))
