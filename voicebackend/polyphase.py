"""The filters that change a rate: for each place between input samples a low-pass of its own, and their application.

Coefficients are multiples of 2**-28, so that every sum over 16-bit samples is exact in a float64, in whatever order
it is added up: how a stream is cut into pieces cannot show in any bit.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil

import numpy as np
import numpy.typing as npt

Signal = npt.NDArray[np.float64]

ZERO_CROSSINGS = 24
"""Of the filter, each side: with this window 84 % of the lower rate's band pass as they are (3.35 kHz of the
telephone's 4), and from 105 % on images and aliases are below -80 dB."""
MAX_PHASES = 1024
"""Ratios that need more share this many filters, at about 60 dB; those of all usual rates are exact."""
_WINDOW_BETA = 8.0
_CUTOFF = 0.945  # of the lower rate's band
_GRAIN = 2.0**28
_CACHED = 16_384  # coefficients
_SMALL = 8  # a ratio of such numbers is worth a matrix


class Polyphase:
    """Makes ``up`` samples of every ``down``: output k lies at input ``k * down / up``, ``delay`` samples late."""

    def __init__(self, up: int, down: int) -> None:
        self.up, self.down = up, down
        self._phases = _phases(up, down)
        self.taps = self._phases.shape[1]
        """Input samples that an output depends on, the newest of them at its place."""
        self.delay = self.taps // 2
        """Input samples."""
        self._matrix = self._make_matrix() if max(up, down) <= _SMALL else None

    def available(self, length: int) -> int:
        """Return how many outputs depend on no more than the first ``length`` samples of a signal."""
        room: int = (length - self.taps + 1) * self.up
        return max(0, -(-room // self.down))

    def outputs(self, signal: Signal, first: int, last: int) -> Signal:
        """Return outputs ``first`` to ``last - 1`` of a signal."""
        if self._matrix is None:
            return self._gathered(signal, first, last)
        return self._multiplied(signal, last, self._matrix)[first:last]

    def _gathered(self, signal: Signal, first: int, last: int) -> Signal:
        """Pick each output's samples and its filter, no more at once than the processor's cache holds."""
        rows = np.ndarray((len(signal) - self.taps + 1, self.taps), np.float64, signal, strides=(8, 8))
        sums, step = np.empty(last - first), _CACHED // self.taps
        for start in range(first, last, step):
            at = np.arange(start, min(start + step, last)) * self.down
            phases = self._phases[at % self.up * len(self._phases) // self.up]
            np.einsum("ij,ij->i", rows[at // self.up], phases, out=sums[start - first :][: len(at)])
        return sums

    def _multiplied(self, signal: Signal, last: int, matrix: Signal) -> Signal:
        """Cut the signal into overlapping rows, each of which makes a block of outputs."""
        width, block = matrix.shape
        step = block // self.up * self.down
        rows = -(-last // block)
        padded = np.zeros((rows - 1) * step + width)
        used = min(len(signal), len(padded))
        padded[:used] = signal[:used]
        overlapping = np.ndarray((rows, width), np.float64, padded, strides=(step * 8, 8))
        blocks: Signal = overlapping.copy() @ matrix
        return blocks.ravel()

    def _make_matrix(self) -> Signal:
        """Return the filters of a block of outputs side by side, each at its place."""
        periods = max(1, self.taps // (2 * self.down))
        matrix = np.zeros((periods * self.down + self.taps, periods * self.up))
        for output in range(periods * self.up):
            start, phase = divmod(output * self.down, self.up)
            matrix[start : start + self.taps, output] = self._phases[phase]
        return matrix


@lru_cache(maxsize=32)
def polyphase(up: int, down: int) -> Polyphase:
    """Return the filters of a ratio in lowest terms; many streams share them."""
    return Polyphase(up, down)


def _phases(up: int, down: int) -> Signal:
    """Return the low-pass filter's branches, one row per output phase, newest input sample last."""
    count = min(up, MAX_PHASES)
    stretch = max(up, down) / up  # input samples per zero crossing
    taps = 2 * ceil(ZERO_CROSSINGS * stretch)
    centre = taps / 2
    offsets = np.arange(taps) - (centre - 1)  # of each tap from the output's place, in input samples
    rows = offsets[None, :] - (np.arange(count) / count)[:, None]
    window = np.i0(_WINDOW_BETA * np.sqrt(np.clip(1 - (rows / centre) ** 2, 0, None)))
    filters = np.sinc(rows * _CUTOFF / stretch) * window
    grains: Signal = np.rint(filters / filters.sum(axis=1, keepdims=True) * _GRAIN)
    return grains / _GRAIN
