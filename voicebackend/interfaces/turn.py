"""End-of-turn detection."""

from __future__ import annotations

from dataclasses import dataclass

from voicebackend.interfaces.engine import Engine


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnEvidence:
    """What is known when the caller falls silent."""

    text: str
    """Transcript of the utterance so far; may still change."""
    silence_s: float
    """Seconds of silence up to now."""
    audio: bytes = b""
    """The utterance's last seconds, 16 kHz."""


class TurnDetector(Engine):
    """Says how likely it is that the caller has finished."""

    async def end_of_turn(self, evidence: TurnEvidence) -> float:
        """Return the probability, 0 to 1."""
        raise NotImplementedError
