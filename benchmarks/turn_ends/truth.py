"""Where a speaker really speaks: from the clean recording's own loudness, before any noise is added."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.turn_ends.sound import Signal, levels

FRAME_S = 0.01
PAUSE_S = 0.2
"""Silence within a turn from which on it is a pause; shorter ones are part of words."""
SMOOTH = 3
"""Frames over which loudness is taken: what is shorter counts for less."""
BELOW_DB = 24.0
"""What is that much below the loudest is no speech any more: old recordings have no less noise, nor does breath."""
FLOOR_SHARE = 0.4
"""Nor what is in the lowest part of the range between the recording's own noise and its loudest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """Seconds from the start of the recording."""

    start_s: float
    end_s: float
    pauses: tuple[tuple[float, float], ...]
    """From and to, each at least 0.2 s."""


def speech(signal: Signal) -> Speech:
    """Return where a recording of one turn has speech."""
    power = np.convolve(10 ** (levels(signal) / 10), np.ones(SMOOTH) / SMOOTH, "same")
    loud = 10 * np.log10(power)
    loudest, floor = np.percentile(loud, 95), np.percentile(loud, 5)
    voiced = np.flatnonzero(loud > max(loudest - BELOW_DB, floor + FLOOR_SHARE * (loudest - floor)))
    gaps = np.flatnonzero(np.diff(voiced) > PAUSE_S / FRAME_S)
    return Speech(
        start_s=float(voiced[0] * FRAME_S),
        end_s=float((voiced[-1] + 1) * FRAME_S),
        pauses=tuple((float((voiced[i] + 1) * FRAME_S), float(voiced[i + 1] * FRAME_S)) for i in gaps),
    )
