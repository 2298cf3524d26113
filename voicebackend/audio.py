"""Audio as this project carries it: signed 16-bit little-endian mono PCM, in frames of 20 ms.

Pure functions and small streaming converters over numpy; nothing here does I/O or reads a clock.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from math import gcd

import numpy as np
import numpy.typing as npt

from voicebackend.errors import InvalidFormat
from voicebackend.polyphase import Polyphase, polyphase

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
        if not self._rest and len(pcm) == self._frame_bytes:
            return [pcm]
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
    """Converts one direction of one session between two rates; 1.5 to 3 ms late, its state a few KiB.

    One object serves the whole session: ``flush`` ends an utterance, ``retarget`` follows a caller who comes back at
    another rate. How the stream is cut into pieces shows in no bit of it.
    """

    def __init__(self, source_rate: int, target_rate: int) -> None:
        self._source_rate, self._target_rate = source_rate, target_rate
        self._filter = _filter(source_rate, target_rate)
        self._signal = np.zeros(self._filter.taps - 1)
        self._done = 0  # outputs that were made of it

    @property
    def target_rate(self) -> int:
        """Hertz of what comes out."""
        return self._target_rate

    def process(self, pcm: bytes) -> bytes:
        """Convert the next piece of the stream; its length may be any even number of bytes."""
        if self._source_rate == self._target_rate:
            return pcm
        signal = np.concatenate((self._signal, np.frombuffer(pcm, "<i2")))
        count = self._filter.available(len(signal))
        out = to_pcm(self._filter.outputs(signal, self._done, count)) if count > self._done else b""
        periods, self._done = divmod(max(count, self._done), self._filter.up)
        self._signal = signal[periods * self._filter.down :]
        return out

    def flush(self) -> bytes:
        """End an utterance: return what is still on its way; the next one begins as after silence."""
        if self._source_rate == self._target_rate:
            return b""
        out = self.process(bytes(self._filter.delay * SAMPLE_BYTES))
        self._signal, self._done = np.zeros(self._filter.taps - 1), 0
        return out

    def retarget(self, target_rate: int) -> None:
        """Go on at another rate, within an utterance too: what came in before is remembered.

        Raises:
            InvalidFormat: the rate is out of range; nothing has changed.

        """
        if target_rate == self._target_rate:
            return
        filter_ = _filter(self._source_rate, target_rate)
        recent = self._signal[len(self._signal) - min(len(self._signal), filter_.taps - 1) :]
        self._signal = np.concatenate((np.zeros(filter_.taps - 1 - len(recent)), recent))
        self._filter, self._target_rate, self._done = filter_, target_rate, 0


def _filter(source_rate: int, target_rate: int) -> Polyphase:
    for rate in (source_rate, target_rate):
        AudioFormat(sample_rate=rate)  # raises where it is out of range
    common = gcd(source_rate, target_rate)
    return polyphase(target_rate // common, source_rate // common)


def resample(pcm: bytes, source_rate: int, target_rate: int) -> bytes:
    """Convert a whole buffer between two rates, its start kept in place and its end flushed out."""
    if source_rate == target_rate:
        return pcm
    stream, ratio = Resampler(source_rate, target_rate), target_rate / source_rate
    delay = round(_filter(source_rate, target_rate).delay * ratio)
    wanted = round(len(pcm) / SAMPLE_BYTES * ratio)
    out = stream.process(pcm) + stream.flush()
    return out[delay * SAMPLE_BYTES : (delay + wanted) * SAMPLE_BYTES]


def whole_samples(data: bytes) -> tuple[bytes, bytes]:
    """Return the PCM that is there, and the half of a sample that waits for its other half, if any."""
    size = len(data) - len(data) % SAMPLE_BYTES
    return data[:size], data[size:]


_SAMPLE = np.dtype("<i2")  # made once: its name takes as long to read as a frame


def to_samples(pcm: bytes) -> Samples:
    """View PCM as int16 samples."""
    if len(pcm) % SAMPLE_BYTES:
        raise InvalidFormat("to_samples", "PCM of 16-bit samples has an even number of bytes")
    return np.frombuffer(pcm, _SAMPLE)


def to_floats(pcm: bytes) -> npt.NDArray[np.float32]:
    """Return PCM as floats from -1 to 1."""
    return to_samples(pcm).astype(np.float32) / 32768.0


def to_pcm(samples: npt.NDArray[np.floating]) -> bytes:
    """Return samples on the int16 scale as PCM, rounded and clipped."""
    return bytes(np.rint(samples).clip(-32768, 32767).astype("<i2").tobytes())


def from_floats(samples: npt.NDArray[np.floating]) -> bytes:
    """Return floats from -1 to 1 as PCM, rounded and clipped."""
    return to_pcm(samples * 32768.0)


def level_dbfs(pcm: bytes) -> float:
    """Return the root mean square level relative to full scale, -120 dB for silence."""
    if not pcm:
        return -120.0
    samples = to_samples(pcm).astype(np.float32)
    return max(-120.0, 10 * math.log10(float(samples.dot(samples)) / (len(samples) * 32768.0**2) + 1e-12))
