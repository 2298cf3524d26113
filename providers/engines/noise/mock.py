"""Engine ``mock``: hands audio on as it is, or fails as the script says."""

from __future__ import annotations

from providers.mock.script import MockEngineConfig, Script
from voicebackend.interfaces import NoiseCanceller, NoiseStream


class MockNoise(NoiseCanceller):
    """A scripted canceller."""

    name = "mock"
    Config = MockEngineConfig

    def __init__(self, config: MockEngineConfig | None = None) -> None:
        self.settings = config or MockEngineConfig()
        super().__init__(self.settings)
        self.script = Script("noise", self.settings.fault)

    async def open(self) -> None:
        """Fail if the script says so."""
        self.script.opened()

    def stream(self) -> NoiseStream:
        """Open a canceller for one session."""
        return _Stream(self.script)


class _Stream(NoiseStream):
    def __init__(self, script: Script) -> None:
        self._script = script

    def process(self, pcm: bytes) -> bytes:
        """Return the audio as it is."""
        self._script.called()
        return pcm
