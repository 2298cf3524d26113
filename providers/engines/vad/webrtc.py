"""Engine ``webrtc``: WebRTC's voice detector (package webrtcvad-wheels, MIT). Cheap; takes loud noise for speech."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from providers.errors import map_exceptions
from voicebackend.audio import PIPELINE_RATE, FrameCutter
from voicebackend.errors import PipelineError
from voicebackend.interfaces import EngineConfig, VadStream, VoiceActivityDetector


class WebrtcVadConfig(EngineConfig):
    """Settings of the detector."""

    aggressiveness: Annotated[int, Field(ge=0, le=3)] = 3
    """How readily a frame is called noise, 0 to 3."""


class WebrtcVad(VoiceActivityDetector):
    """About 3 us for each 20 ms."""

    name = "webrtc"
    Config = WebrtcVadConfig
    frame_s = 0.02

    def __init__(self, config: WebrtcVadConfig | None = None) -> None:
        self.settings = config or WebrtcVadConfig()
        super().__init__(self.settings)

    def stream(self) -> VadStream:
        """Open a detector for one session."""
        return _Stream(self.settings.aggressiveness)


class _Stream(VadStream):
    def __init__(self, aggressiveness: int) -> None:
        self._aggressiveness = aggressiveness
        self.reset()

    def reset(self) -> None:
        """Forget the past."""
        self._cutter = FrameCutter(PIPELINE_RATE)
        self._vad = _detector(self._aggressiveness)

    def process(self, pcm: bytes) -> list[float]:
        """Return 1.0 or 0.0 for each 20 ms completed."""
        with map_exceptions({Exception: PipelineError}, op="webrtc vad"):
            return [float(self._vad.is_speech(frame, PIPELINE_RATE)) for frame in self._cutter.push(pcm)]


def _detector(aggressiveness: int) -> Any:
    import webrtcvad

    return webrtcvad.Vad(aggressiveness)
