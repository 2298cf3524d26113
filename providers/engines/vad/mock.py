"""Engine ``mock``: sound is speech; what counts as sound, and for how long it must last, the script says."""

from __future__ import annotations

from datetime import timedelta

from providers.mock.script import Delay, MockEngineConfig, Script
from providers.mock.sounds import Threshold, is_louder
from voicebackend.audio import PIPELINE_RATE, SAMPLE_BYTES
from voicebackend.interfaces import VadProfile, VadStream, VoiceActivityDetector

_FRAME_S = 0.02
_FRAME_BYTES = round(_FRAME_S * PIPELINE_RATE) * SAMPLE_BYTES


class MockVadConfig(MockEngineConfig):
    """The script of a voice detector."""

    threshold: Threshold = 0
    """A frame with a sample above this is speech; by default, anything but digital silence is."""
    start: Delay = timedelta(0)
    """Sound for so long starts speech."""
    pause: Delay = timedelta(seconds=0.02)
    """After so much quiet, recognition may start on the result."""
    stop: Delay = timedelta(seconds=0.1)
    """After so much quiet the turn is over."""


class MockVad(VoiceActivityDetector):
    """Judges every push at once, however short: even two samples of sound are an utterance."""

    name = "mock"
    Config = MockVadConfig
    frame_s = _FRAME_S

    def __init__(self, config: MockVadConfig | None = None) -> None:
        self.settings = config or MockVadConfig()
        super().__init__(self.settings)
        self.script = Script("vad", self.settings.fault)
        self.profile = VadProfile(
            start_s=self.settings.start.total_seconds(),
            pause_s=self.settings.pause.total_seconds(),
            stop_s=self.settings.stop.total_seconds(),
        )

    async def open(self) -> None:
        """Fail if the script says so."""
        self.script.opened()

    def stream(self) -> VadStream:
        """Open a detector for one session."""
        return _Stream(self.script, self.settings.threshold)


class _Stream(VadStream):
    def __init__(self, script: Script, threshold: int) -> None:
        self._script, self._threshold = script, threshold

    def process(self, pcm: bytes) -> list[float]:
        """Return 1.0 or 0.0 for each 20 ms and for what remains."""
        self._script.called()
        pieces = (pcm[i : i + _FRAME_BYTES] for i in range(0, len(pcm), _FRAME_BYTES))
        return [float(is_louder(piece, self._threshold)) for piece in pieces]

    def reset(self) -> None:
        """Nothing is remembered."""
