"""What mock engines hear and play: loudness by a threshold, and audio in pieces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from voicebackend.audio import SAMPLE_BYTES, to_samples
from voicebackend.durations import Duration, seconds

Threshold = Annotated[int, Field(ge=0, le=32767)]
"""Of the 16-bit sample scale: sound is what has a sample above it."""
PieceLength = Annotated[Duration, seconds(0.02, 10)]
"""Seconds, or ISO 8601, of audio in one piece; 0.02 to 10."""


def is_louder(pcm: bytes, threshold: int) -> bool:
    """Tell whether a sample of this PCM is above the threshold, in either direction."""
    if not threshold:
        return bool(pcm.strip(b"\0"))
    samples = to_samples(pcm)
    if not len(samples):
        return False
    at = samples.item  # where the greatest is takes half as long to find as what it is
    return at(samples.argmax()) > threshold or at(samples.argmin()) < -threshold


def pieces(pcm: bytes, seconds: float | None, sample_rate: int) -> Iterator[bytes]:
    """Yield PCM in pieces of so many seconds, the last one shorter; in one piece without a length."""
    size = len(pcm) if seconds is None else round(seconds * sample_rate) * SAMPLE_BYTES
    for start in range(0, len(pcm), max(size, SAMPLE_BYTES)):
        yield pcm[start : start + size]
