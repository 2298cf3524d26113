"""Engine ``silence``: whoever is silent has finished."""

from __future__ import annotations

from voicebackend.interfaces import TurnDetector, TurnEvidence


class SilenceTurn(TurnDetector):
    """Leaves the decision to the voice activity detector's stop time."""

    name = "silence"

    async def end_of_turn(self, evidence: TurnEvidence) -> float:
        """Return 1.0, always."""
        del evidence
        return 1.0
