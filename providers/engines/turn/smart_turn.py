"""Engine ``smart_turn``: Smart Turn v3 (BSD-2) hears whether a turn is finished; its file comes with pipecat-ai."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import numpy as np

from providers import packages
from providers.engines.onnx import load_session
from providers.engines.pool import Pool, opened
from providers.engines.turn.mel import log_mel
from providers.errors import map_exceptions
from voicebackend.audio import PIPELINE_RATE, to_floats
from voicebackend.errors import InvalidConfig, PipelineError
from voicebackend.interfaces import EngineConfig, TurnDetector, TurnEvidence

_SAMPLES = 8 * PIPELINE_RATE
"""The model always sees 8 s; before a shorter turn there is silence."""
_OP = "open smart_turn"


class SmartTurnConfig(EngineConfig):
    """Where the model is."""

    model: Path | None = None
    """An ONNX file of Smart Turn v3; None takes the one inside an installed pipecat-ai."""


class SmartTurn(TurnDetector):
    """About 35 ms of one core for each pause; needs no transcript."""

    name = "smart_turn"
    Config = SmartTurnConfig

    def __init__(self, config: SmartTurnConfig | None = None) -> None:
        self.settings = config or SmartTurnConfig()
        super().__init__(self.settings)
        self._pool = Pool("smart_turn")
        self._opening = asyncio.Lock()
        self._session: Any = None

    async def open(self) -> None:
        """Load and warm the model: 0.2 s, 30 MB.

        Raises:
            InvalidConfig: there is no such file.

        """
        path = _found(self.settings.model)
        async with self._opening:
            if self._session is None:
                self._session = await self._pool.submit(_OP, _load, path)

    async def aclose(self) -> None:
        """Release the model."""
        self._session = None
        self._pool.close()

    async def end_of_turn(self, evidence: TurnEvidence) -> float:
        """Return the probability that the turn which ends with this audio is finished; 0.5 without audio."""
        session = opened(self._session, "smart_turn")
        if not evidence.audio:
            return 0.5
        return await self._pool.submit("smart_turn", _judge, session, evidence.audio)


def _found(model: Path | None) -> Path:
    """Return the model's path."""
    if model is None:
        home = packages.folder("pipecat")
        files = sorted((home / "audio" / "turn" / "smart_turn" / "data").glob("*-cpu.onnx")) if home else []
        if not files:
            raise packages.missing("the model of Smart Turn (or `model`, the path of its file)", "smart-turn", _OP)
        return files[-1]
    if not model.is_file():
        raise InvalidConfig(_OP, f"there is no file {model}", details={"field": "model"})
    return model


def _load(path: Path) -> Any:
    with map_exceptions({Exception: PipelineError}, op=_OP):
        session = load_session(path)
        _judge(session, bytes(2 * PIPELINE_RATE))  # the first run is slow
    return session


def _judge(session: Any, pcm: bytes) -> float:
    samples = to_floats(pcm)[-_SAMPLES:]
    features = log_mel(np.pad(samples, (_SAMPLES - len(samples), 0)))
    (probability,) = session.run(None, {"input_features": features[None]})
    return min(1.0, max(0.0, float(np.ravel(probability)[0])))
