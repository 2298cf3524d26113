"""Engine ``rnnoise``: the RNNoise network (BSD), from the library inside package pyrnnoise, called directly.

The package itself is never imported: it needs plotting and video packages for its command line.
"""

from __future__ import annotations

import ctypes
import weakref
from pathlib import Path

import numpy as np

from providers import packages
from providers.engines.pool import opened
from voicebackend.audio import PIPELINE_RATE, SAMPLE_BYTES, Resampler, to_pcm, to_samples
from voicebackend.errors import InvalidConfig
from voicebackend.interfaces import EngineConfig, NoiseCanceller, NoiseStream

_RATE = 48_000
_STEP = _RATE // 100
"""Samples that it works on: 10 ms."""


class RnnoiseCanceller(NoiseCanceller):
    """About 1.8 ms for each 20 ms, a tenth of a core a call; good for human ears, less so for recognition in babble."""

    name = "rnnoise"

    def __init__(self, config: EngineConfig | None = None) -> None:
        super().__init__(config)
        self._library: ctypes.CDLL | None = None

    async def open(self) -> None:
        """Load the library.

        Raises:
            InvalidConfig: the library is not installed, or not for this machine.

        """
        if self._library is None:
            self._library = _load(packages.file("pyrnnoise", _file_name(), extra="rnnoise", op="open rnnoise"))

    async def aclose(self) -> None:
        """Release the library."""
        self._library = None

    def stream(self) -> NoiseStream:
        """Open a canceller for one session."""
        return _Stream(opened(self._library, "rnnoise"))


def _file_name() -> str:
    import sys

    return {"darwin": "librnnoise.dylib", "win32": "rnnoise.dll"}.get(sys.platform, "librnnoise.so")


def _load(path: Path) -> ctypes.CDLL:
    try:
        library = ctypes.CDLL(str(path))
    except OSError as error:
        raise InvalidConfig("open rnnoise", f"{path.name} does not load on this machine") from error
    floats = ctypes.POINTER(ctypes.c_float)
    library.rnnoise_create.restype = ctypes.c_void_p
    library.rnnoise_create.argtypes = [ctypes.c_void_p]
    library.rnnoise_destroy.argtypes = [ctypes.c_void_p]
    library.rnnoise_process_frame.restype = ctypes.c_float
    library.rnnoise_process_frame.argtypes = [ctypes.c_void_p, floats, floats]
    return library


class _Stream(NoiseStream):
    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        self._state = library.rnnoise_create(None)
        weakref.finalize(self, library.rnnoise_destroy, self._state)
        self._up = Resampler(PIPELINE_RATE, _RATE)
        self._down = Resampler(_RATE, PIPELINE_RATE)
        self._rest = b""

    def process(self, pcm: bytes) -> bytes:
        """Return what was cleaned; less than 10 ms wait for more."""
        data = self._rest + self._up.process(pcm)
        whole = len(data) - len(data) % (_STEP * SAMPLE_BYTES)
        self._rest = data[whole:]
        samples = to_samples(data[:whole]).astype(np.float32)
        for start in range(0, len(samples), _STEP):
            self._clean(samples[start : start + _STEP])
        return self._down.process(to_pcm(samples))

    def _clean(self, samples: np.ndarray[tuple[int], np.dtype[np.float32]]) -> None:
        """Clean 10 ms in place; the library takes floats on the int16 scale."""
        pointer = samples.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        self._library.rnnoise_process_frame(self._state, pointer, pointer)
