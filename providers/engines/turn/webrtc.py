"""Engine ``webrtc``: a silence timer that believes only what WebRTC's voice detector takes for silence too."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from pydantic import Field

from providers.errors import map_exceptions
from voicebackend.audio import FRAME_MS, PIPELINE_RATE, SAMPLE_BYTES, FrameCutter
from voicebackend.durations import Duration, seconds
from voicebackend.errors import PipelineError
from voicebackend.interfaces import EngineConfig, TurnDetector, TurnEvidence


class WebrtcTurnConfig(EngineConfig):
    """Settings of the timer."""

    silence: Annotated[Duration, seconds(0.02, 2)] = timedelta(seconds=0.2)
    """Silence after which the caller has certainly finished; 0.02 to 2 s."""
    aggressiveness: Annotated[int, Field(ge=0, le=3)] = 3
    """How readily sound is called noise, 0 to 3."""


class WebrtcTurn(TurnDetector):
    """Hears only the last two seconds; needs no transcript."""

    name = "webrtc"
    Config = WebrtcTurnConfig

    def __init__(self, config: WebrtcTurnConfig | None = None) -> None:
        self.settings = config or WebrtcTurnConfig()
        super().__init__(self.settings)

    async def end_of_turn(self, evidence: TurnEvidence) -> float:
        """Return the share of the silence needed that has passed, at most 1.0."""
        needed_s = self.settings.silence.total_seconds()
        silence_s = evidence.silence_s
        if evidence.audio:
            with map_exceptions({Exception: PipelineError}, op="webrtc turn"):
                silence_s = min(silence_s, _unvoiced_s(evidence.audio, needed_s, self.settings.aggressiveness))
        return min(1.0, silence_s / needed_s)


def _unvoiced_s(pcm: bytes, longest_s: float, aggressiveness: int) -> float:
    """Return the seconds without voice at the end of 16 kHz audio, up to ``longest_s``."""
    size = round((longest_s + FRAME_MS / 1000) * PIPELINE_RATE) * SAMPLE_BYTES
    frames = FrameCutter(PIPELINE_RATE).push(pcm[-size:])
    vad = _detector(aggressiveness)
    voiced = [index for index, frame in enumerate(frames, 1) if vad.is_speech(frame, PIPELINE_RATE)]
    return (len(frames) - (voiced[-1] if voiced else 0)) * FRAME_MS / 1000


def _detector(aggressiveness: int) -> Any:
    import webrtcvad

    return webrtcvad.Vad(aggressiveness)
