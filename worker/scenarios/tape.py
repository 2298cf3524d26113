"""Reads mock speech as it comes, and says at which sample each word begins."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from providers.mock.tones import spoken_bytes
from voicebackend.audio import SAMPLE_BYTES, to_samples

_QUIET = 1600
"""Samples below this are the gap between two characters; mock speech goes up to ten times as high."""
_GAP_S = 0.005
_BREAK_S = 0.1
"""From one character to the next; whatever is further apart is two words."""
_LONGEST_S = 1.0
"""Without a gap for so long, it is not mock speech; it is read as far as it can be."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word and where it begins."""

    text: str
    sample: int


class Tape:
    """The text of one speaker; characters count once the gap after them was heard."""

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._rest = b""
        self._offset = 0
        self._bytes = bytearray()
        self._starts: list[int] = []

    @property
    def text(self) -> str:
        """All that was read so far."""
        return self._bytes.decode("utf-8", "replace")

    @property
    def samples(self) -> int:
        """How many samples there were."""
        return self._offset + len(self._rest) // SAMPLE_BYTES

    def push(self, pcm: bytes) -> None:
        """Take more audio."""
        self._rest += pcm
        cut = _last_gap(self._rest, round(_GAP_S * self._rate))
        if cut or len(self._rest) > _LONGEST_S * self._rate * SAMPLE_BYTES:
            self._read(cut or len(self._rest))

    def flush(self) -> None:
        """Read what has no gap after it."""
        self._read(len(self._rest))

    def words(self) -> list[Word]:
        """Return the words so far; the last may not be whole."""
        text = self._bytes.decode("latin-1")
        return [
            Word(match[0].encode("latin-1").decode("utf-8", "replace"), self._starts[match.start()])
            for match in re.finditer(r"\S+", text)
        ]

    def _read(self, size: int) -> None:
        for byte, place in spoken_bytes(self._rest[:size], self._rate):
            start = self._offset + place
            if self._starts and start - self._starts[-1] > _BREAK_S * self._rate and self._bytes[-1:] != b" ":
                self._bytes += b" "
                self._starts.append(start)
            self._bytes.append(byte)
            self._starts.append(start)
        self._offset += size // SAMPLE_BYTES
        self._rest = self._rest[size:]


def _last_gap(pcm: bytes, shortest: int) -> int:
    """Return the byte in the middle of the last gap; 0 if there is none."""
    samples = to_samples(pcm)
    quiet = np.concatenate(([False], np.abs(samples.astype(np.int32)) < _QUIET, [False]))
    edges = np.flatnonzero(np.diff(quiet.astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    long = np.flatnonzero(ends - starts >= shortest)
    return int(starts[long[-1]] + ends[long[-1]]) // 2 * SAMPLE_BYTES if len(long) else 0
