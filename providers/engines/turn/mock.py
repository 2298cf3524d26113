"""Engine ``mock``: the caller has finished with the probability that the script gives."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from providers.mock.script import MockEngineConfig, Script
from voicebackend.interfaces import TurnDetector, TurnEvidence


class MockTurnConfig(MockEngineConfig):
    """The script of a turn detector."""

    probability: Annotated[float, Field(ge=0, le=1)] = 1.0


class MockTurn(TurnDetector):
    """A scripted turn detector."""

    name = "mock"
    Config = MockTurnConfig

    def __init__(self, config: MockTurnConfig | None = None) -> None:
        self.settings = config or MockTurnConfig()
        super().__init__(self.settings)
        self.script = Script("turn", self.settings.fault)

    async def open(self) -> None:
        """Fail if the script says so."""
        self.script.opened()

    async def end_of_turn(self, evidence: TurnEvidence) -> float:
        """Return the script's probability, or fail as it says."""
        del evidence
        self.script.called()
        return self.settings.probability
