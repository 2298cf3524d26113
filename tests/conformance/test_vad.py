"""What every voice activity detector must do: each engine inherits the suite."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from voices import Recording, recordings, white_noise

from voicebackend.audio import AudioFormat
from voicebackend.interfaces import VadStream, VoiceActivityDetector

FRAME_BYTES = AudioFormat().frame_bytes
HUMAN = [recording for recording in recordings() if recording.human]


def judge(stream: VadStream, pcm: bytes, step: int = FRAME_BYTES) -> list[float]:
    """Return the probabilities of audio pushed in pieces."""
    return [found for start in range(0, len(pcm), step) for found in stream.process(pcm[start : start + step])]


class VadSuite:
    """Subclasses name the engine and the loudest hiss that it must not take for speech."""

    name: str
    hiss_dbfs: float | None
    least_voiced = 0.35
    """Share of frames of a recording, pauses included, that must be speech."""

    @pytest.fixture
    def engine(self, open_engine: Callable[[str, str], VoiceActivityDetector]) -> VoiceActivityDetector:
        """Give the detector."""
        return open_engine("vad", self.name)

    def test_silence_is_no_speech(self, engine: VoiceActivityDetector) -> None:
        """Digital silence, three seconds of it."""
        assert max(judge(engine.stream(), AudioFormat().silence(3))) < 0.1

    def test_hiss_is_no_speech(self, engine: VoiceActivityDetector) -> None:
        """Once the detector has had two seconds to get used to it."""
        if self.hiss_dbfs is None:
            assert max(judge(engine.stream(), white_noise(-40))) == 1.0, "this engine takes any sound for speech"
            return
        found = judge(engine.stream(), white_noise(self.hiss_dbfs))
        assert max(found[round(2 / engine.frame_s) :]) < engine.profile.start_threshold

    @pytest.mark.parametrize("recording", HUMAN, ids=lambda recording: recording.name)
    def test_people_are_heard(self, engine: VoiceActivityDetector, recording: Recording) -> None:
        """Much of a recording is speech, and some of it without doubt."""
        found = judge(engine.stream(), recording.pcm)
        voiced = [probability > engine.profile.start_threshold for probability in found]
        assert sum(voiced) / len(voiced) >= self.least_voiced
        assert max(found) > 0.9

    def test_there_is_a_probability_for_each_frame(self, engine: VoiceActivityDetector) -> None:
        """As many as fit into the audio, each from 0 to 1."""
        found = judge(engine.stream(), HUMAN[0].pcm)
        assert len(found) == int(len(HUMAN[0].pcm) / 2 / 16_000 / engine.frame_s + 1e-6)
        assert all(0 <= probability <= 1 for probability in found)

    def test_sessions_never_mix(self, engine: VoiceActivityDetector) -> None:
        """A stream between two others judges as it does alone."""
        pcm, silence = HUMAN[1].pcm, AudioFormat().silence(3)
        alone = judge(engine.stream(), pcm)
        mine, other, together = engine.stream(), engine.stream(), list[float]()
        for start in range(0, len(pcm), FRAME_BYTES):
            together += mine.process(pcm[start : start + FRAME_BYTES])
            other.process(silence[start : start + FRAME_BYTES])
        assert together == alone

    def test_reset_forgets_the_past(self, engine: VoiceActivityDetector) -> None:
        """After it the stream is as new."""
        stream = engine.stream()
        fresh = judge(stream, HUMAN[1].pcm)
        judge(stream, HUMAN[0].pcm[:-2])
        stream.reset()
        assert judge(stream, HUMAN[1].pcm) == fresh


class FramedVadSuite(VadSuite):
    """For detectors that wait for whole frames."""

    @pytest.mark.parametrize("step", [2, 34, 640, 5000])
    def test_it_does_not_matter_how_audio_is_cut(self, engine: VoiceActivityDetector, step: int) -> None:
        """The same audio gives the same probabilities."""
        pcm = HUMAN[1].pcm[:32_000]
        assert judge(engine.stream(), pcm, step) == judge(engine.stream(), pcm)


class TestSilero(FramedVadSuite):
    """The default."""

    name = "silero"
    hiss_dbfs = -25.0
    least_voiced = 0.7


class TestEnergy(FramedVadSuite):
    """For quiet places."""

    name = "energy"
    hiss_dbfs = -35.0


class TestWebrtc(FramedVadSuite):
    """Cheap."""

    name = "webrtc"
    hiss_dbfs = -35.0
    least_voiced = 0.7


class TestMock(VadSuite):
    """Any sound is speech."""

    name = "mock"
    hiss_dbfs = None
