"""Where to cut a long utterance so that no word is cut: at its quietest moment."""

from __future__ import annotations

import numpy as np

from voicebackend.audio import PIPELINE_RATE, SAMPLE_BYTES, to_samples

LONGEST_S = 15.0
"""Recognisers of Moonshine's kind repeat themselves on longer audio."""
LONGEST_BYTES = round(LONGEST_S * PIPELINE_RATE) * SAMPLE_BYTES
_EARLIEST = 0.5
"""Share of the audio before which it is not cut: short segments lose their context."""
_WINDOW = PIPELINE_RATE // 10
"""Samples over which loudness is taken: 100 ms, shorter than a pause between words is long."""
_STEP = PIPELINE_RATE // 100


def quietest(pcm: bytes) -> int:
    """Return the byte offset of the quietest 100 ms in the second half of 16 kHz audio, or its end if it is short."""
    samples = to_samples(pcm).astype(np.float64)
    first = round(len(samples) * _EARLIEST)
    if len(samples) - first <= _WINDOW:
        return len(pcm)
    energy = np.concatenate(([0.0], np.cumsum(samples[first:] ** 2)))
    starts = np.arange(0, len(energy) - _WINDOW, _STEP)
    quiet = starts[np.argmin(energy[starts + _WINDOW] - energy[starts])]
    return int(first + quiet + _WINDOW // 2) * SAMPLE_BYTES
