"""Voice activity detection."""

from __future__ import annotations

from dataclasses import dataclass

from voicebackend.interfaces.engine import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class VadProfile:
    """How this detector's probabilities become speech and silence."""

    start_threshold: float = 0.5
    stop_threshold: float = 0.35
    start_s: float = 0.064
    """Seconds above the start threshold until speech has started."""
    pause_s: float = 0.064
    """Seconds below the stop threshold until speech recognition may start on the result."""
    stop_s: float = 0.192
    """Seconds below the stop threshold until a turn that is certainly finished is over."""


class VadStream:
    """One session's detector; cheap enough for the event loop."""

    def process(self, pcm: bytes) -> list[float]:
        """Take 16 kHz audio of any length; return a speech probability for each analysis frame completed."""
        raise NotImplementedError

    async def judge(self, pcm: bytes) -> list[float]:
        """Do as ``process`` does; an engine may answer several sessions together. One call at a time."""
        return self.process(pcm)

    def reset(self) -> None:
        """Forget the past."""


class VoiceActivityDetector(Engine):
    """Tells speech from everything else."""

    frame_s: float = 0.032
    """Seconds of audio behind each probability."""
    profile: VadProfile = VadProfile()

    def stream(self) -> VadStream:
        """Open a detector for one session."""
        raise NotImplementedError
