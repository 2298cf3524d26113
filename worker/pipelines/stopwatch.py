"""Where a turn's time went, from the end of the caller's speech to the first agent audio."""

from __future__ import annotations

from dataclasses import dataclass

from voicebackend.events import Latency
from voicebackend.telemetry import turn_seconds


@dataclass(slots=True)
class Stopwatch:
    """Moments of one turn, in seconds of the loop's clock. A guessed turn's text can be there before it is decided."""

    speech_end: float
    """When the caller's last voiced audio came."""
    decided: float = 0.0
    """When the turn was taken to be over."""
    transcribed: float = 0.0
    """When its final text was there."""
    first_text: float | None = None
    """When the agent's first text came."""
    first_clause: float | None = None
    """When the first clause went to speech synthesis."""
    first_audio: float | None = None
    """When the first agent audio was sent."""

    def latency(self) -> Latency:
        """Return the stages in milliseconds; call it once the first audio was sent."""
        first_audio = self.first_audio if self.first_audio is not None else self.transcribed
        first_text = self.first_text if self.first_text is not None else first_audio
        first_clause = self.first_clause if self.first_clause is not None else first_text
        return Latency(
            end_of_turn=_ms(self.decided - self.speech_end),
            stt_final=_ms(self.transcribed - self.decided),
            agent_ttft=_ms(first_text - self.transcribed),
            tts_ttfb=_ms(first_audio - first_clause),
            e2e=_ms(first_audio - self.speech_end),
        )

    def record(self) -> None:
        """Put the stages into the metrics."""
        for stage, value in self.latency().model_dump().items():
            turn_seconds[stage].record(value / 1000)


def _ms(seconds: float) -> float:
    return round(max(0.0, seconds) * 1000, 1)
