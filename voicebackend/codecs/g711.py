"""G.711, the telephone's codec: a byte a sample at 8 kHz, by tables that are computed once from the recommendation.

µ-law keeps the upper 14 bits of a sample, A-law the upper 13: both as sign, segment (which power of two) and four
bits within it.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import numpy.typing as npt

from voicebackend.codecs.codec import Encoding, Unframed, check_rate

RATE = 8_000
"""Hertz."""
_BIAS = 33
"""Added to µ-law's magnitudes, so that every segment begins at a power of two."""
_MULAW_MAX = 8_158
"""The largest magnitude that µ-law tells apart."""

_Bytes = npt.NDArray[np.uint8]
_Samples = npt.NDArray[np.int16]


class G711(Unframed):
    """A caller on the telephone network."""

    def __init__(self, name: Encoding, sample_rate: int = RATE) -> None:
        check_rate(name, sample_rate, (RATE,))
        self.name, self.sample_rate = name, sample_rate
        self._decoded, self._encoded = (_mulaw if name is Encoding.MULAW else _alaw)()

    def decode(self, message: bytes) -> bytes:
        """Return the PCM, two bytes for each; every byte is a sample."""
        return self._decoded[np.frombuffer(message, np.uint8)].tobytes()

    def encode(self, pcm: bytes) -> list[bytes]:
        """Return a byte for each sample."""
        return [self._encoded[np.frombuffer(pcm, "<u2")].tobytes()]


@cache
def _mulaw() -> tuple[_Samples, _Bytes]:
    """Return the sample of each byte, and the byte of each sample, taken as unsigned."""
    code = ~np.arange(256, dtype=np.uint8)
    step, segment = (code & 15).astype(np.int32), (code >> 4 & 7).astype(np.int32)
    magnitude = (((step << 1) + _BIAS << segment) - _BIAS) * 4
    decoded = np.where(code & 0x80, -magnitude, magnitude)

    sample = _every_sample() >> 2
    level = np.minimum(np.abs(sample), _MULAW_MAX) + _BIAS
    segment = _power_of_two(level) - 5
    encoded = segment << 4 | level >> segment + 1 & 15
    return decoded.astype("<i2"), (encoded ^ np.where(sample < 0, 0x7F, 0xFF)).astype(np.uint8)


@cache
def _alaw() -> tuple[_Samples, _Bytes]:
    """Return the sample of each byte, and the byte of each sample, taken as unsigned."""
    code = np.arange(256, dtype=np.uint8) ^ np.uint8(0x55)
    step, segment = (code & 15).astype(np.int32), (code >> 4 & 7).astype(np.int32)
    magnitude = np.where(segment == 0, (step << 4) + 8, (step << 4) + 0x108 << np.maximum(segment, 1) - 1)
    decoded = np.where(code & 0x80, magnitude, -magnitude)

    sample = _every_sample() >> 3
    level = np.where(sample < 0, -sample - 1, sample)
    segment = np.maximum(_power_of_two(level) - 4, 0)
    encoded = segment << 4 | level >> np.maximum(segment, 1) & 15
    return decoded.astype("<i2"), (encoded ^ np.where(sample < 0, 0x55, 0xD5)).astype(np.uint8)


def _every_sample() -> npt.NDArray[np.int32]:
    """Return all samples in the order of their unsigned values: 0 to 32767, then -32768 to -1."""
    return np.arange(1 << 16, dtype=np.uint16).view(np.int16).astype(np.int32)


def _power_of_two(level: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """Return the place of the highest bit set, -1 for none."""
    return np.frexp(level)[1] - 1
