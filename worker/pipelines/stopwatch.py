"""Where a turn's time went, from the end of the caller's speech to the first agent audio."""

from __future__ import annotations

from dataclasses import dataclass

from voicebackend.events import Latency
from voicebackend.telemetry import turn_seconds
from voicebackend.tracing import Stage, past
from worker.pipelines.snapshot import FirstSnapshot


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

    def snapshot(self) -> FirstSnapshot:
        """Return the moments that another worker cannot know."""
        moments = (self.transcribed, self.first_text, self.first_clause, self.first_audio)
        transcribed, text, clause, audio = (None if at is None else round(at, 3) for at in moments)
        return FirstSnapshot(transcribed=transcribed or 0.0, text=text, clause=clause, audio=audio)

    def restore(self, first: FirstSnapshot) -> None:
        """Go on from another worker's."""
        self.transcribed, self.first_text = first.transcribed, first.text
        self.first_clause, self.first_audio = first.clause, first.audio

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

    def stages(self) -> list[Stage]:
        """Return what the caller waited for, one after the other: together they are the whole wait.

        What was done ahead of its time, on a guess, takes none of it.
        """
        last = self.first_audio if self.first_audio is not None else self.transcribed
        ends = {
            "end_of_turn": self.decided,
            "stt": self.transcribed,
            "agent": self.first_text,
            "clause": self.first_clause,
            "tts": last,
        }
        found, at = [], self.speech_end
        for name, moment in ends.items():
            end = min(max(at, at if moment is None else moment), last)
            if end > at:
                found.append(Stage(name, at, end))
                at = end
        return found

    def record(self, turn: int) -> None:
        """Put the stages into metrics and trace; call it when the first audio is sent."""
        for stage, value in self.latency().model_dump().items():
            turn_seconds[stage].record(value / 1000)
        if self.first_audio is not None:
            past("turn.response", self.stages(), now_s=self.first_audio, turn=turn)


def _ms(seconds: float) -> float:
    return round(max(0.0, seconds) * 1000, 1)
