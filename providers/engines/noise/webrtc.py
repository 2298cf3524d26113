"""Engine ``webrtc``: the noise suppressor of WebRTC (package pywebrtc-audio, Apache-2.0)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from providers.errors import map_exceptions
from voicebackend.audio import PIPELINE_RATE, SAMPLE_BYTES, to_samples
from voicebackend.errors import PipelineError
from voicebackend.interfaces import EngineConfig, NoiseCanceller, NoiseStream

_STEP_BYTES = PIPELINE_RATE // 100 * SAMPLE_BYTES
"""It works on 10 ms."""


class WebrtcNoiseConfig(EngineConfig):
    """Settings of the suppressor."""

    level: Annotated[int, Field(ge=0, le=3)] = 2
    """How much is taken away, 0 to 3; 2 keeps speech recognition as good as it is or better."""


class WebrtcNoise(NoiseCanceller):
    """About 16 us for each 20 ms; 6 ms delay."""

    name = "webrtc"
    Config = WebrtcNoiseConfig

    def __init__(self, config: WebrtcNoiseConfig | None = None) -> None:
        self.settings = config or WebrtcNoiseConfig()
        super().__init__(self.settings)

    def stream(self) -> NoiseStream:
        """Open a canceller for one session."""
        return _Stream(_suppressor(self.settings.level))


def _suppressor(level: int) -> Any:
    with map_exceptions({Exception: PipelineError}, op="webrtc noise"):
        from pywebrtc_audio import NoiseSuppressor

        return NoiseSuppressor(PIPELINE_RATE, 1, level=level)


class _Stream(NoiseStream):
    def __init__(self, suppressor: Any) -> None:
        self._suppressor = suppressor
        self._rest = b""

    def process(self, pcm: bytes) -> bytes:
        """Return what was cleaned; less than 10 ms wait for more."""
        data = self._rest + pcm
        whole = len(data) - len(data) % _STEP_BYTES
        self._rest = data[whole:]
        if not whole:
            return b""
        with map_exceptions({Exception: PipelineError}, op="webrtc noise"):
            return bytes(self._suppressor.process(to_samples(data[:whole])).astype("<i2").tobytes())
