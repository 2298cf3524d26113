"""Engine ``mock``: sound is speech, digital silence is not."""

from __future__ import annotations

from providers.mock.script import MockEngineConfig, Script
from voicebackend.audio import PIPELINE_RATE, SAMPLE_BYTES
from voicebackend.interfaces import VadProfile, VadStream, VoiceActivityDetector

_FRAME_S = 0.02
_FRAME_BYTES = round(_FRAME_S * PIPELINE_RATE) * SAMPLE_BYTES


class MockVad(VoiceActivityDetector):
    """Judges every push at once, however short: even two samples of sound are an utterance."""

    name = "mock"
    Config = MockEngineConfig
    frame_s = _FRAME_S
    profile = VadProfile(start_s=0.0, pause_s=0.02, stop_s=0.1)

    def __init__(self, config: MockEngineConfig | None = None) -> None:
        self.settings = config or MockEngineConfig()
        super().__init__(self.settings)
        self.script = Script("vad", self.settings.fault)

    async def open(self) -> None:
        """Fail if the script says so."""
        self.script.opened()

    def stream(self) -> VadStream:
        """Open a detector for one session."""
        return _Stream(self.script)


class _Stream(VadStream):
    def __init__(self, script: Script) -> None:
        self._script = script

    def process(self, pcm: bytes) -> list[float]:
        """Return 1.0 or 0.0 for each 20 ms and for what remains."""
        self._script.called()
        return [float(any(pcm[i : i + _FRAME_BYTES])) for i in range(0, len(pcm), _FRAME_BYTES)]

    def reset(self) -> None:
        """Nothing is remembered."""
