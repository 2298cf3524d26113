"""What every noise canceller must do: each engine inherits the suite."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from voices import recordings, white_noise

from voicebackend.audio import AudioFormat, level_dbfs
from voicebackend.cli.words import word_error
from voicebackend.interfaces import NoiseCanceller, NoiseStream, Recognition, SpeechToText

HUMAN = [recording for recording in recordings() if recording.human]
HELD_BACK_BYTES = 1280
"""At most this much waits inside: 40 ms."""


def clean(stream: NoiseStream, pcm: bytes, step: int = 640) -> bytes:
    """Return what audio pushed in pieces becomes."""
    return b"".join(stream.process(pcm[start : start + step]) for start in range(0, len(pcm), step))


class NoiseSuite:
    """Subclasses name the engine."""

    name: str

    @pytest.fixture
    def engine(self, open_engine: Callable[[str, str], NoiseCanceller]) -> NoiseCanceller:
        """Give the canceller."""
        return open_engine("noise", self.name)

    @pytest.mark.parametrize("step", [2, 34, 320, 640, 1282, 200_000])
    def test_what_comes_out_is_as_long_as_what_went_in(self, engine: NoiseCanceller, step: int) -> None:
        """However it is cut; a little may wait inside, and nothing is added."""
        pcm = HUMAN[0].pcm[:96_002]
        out = clean(engine.stream(), pcm, step)
        assert len(pcm) - HELD_BACK_BYTES <= len(out) <= len(pcm)
        assert len(out) % 2 == 0

    async def test_speech_stays_understandable(self, engine: NoiseCanceller, moonshine: SpeechToText) -> None:
        """A recogniser finds the words in what comes out, about as loud as they were."""
        for recording in HUMAN:
            out = clean(engine.stream(), recording.pcm)
            stream = await moonshine.stream(_ignore)
            await stream.push(out)
            assert word_error(recording.text, (await stream.finish()).text) <= 0.2
            assert level_dbfs(out) == pytest.approx(level_dbfs(recording.pcm), abs=6)

    def test_silence_stays_silent(self, engine: NoiseCanceller) -> None:
        """No noise of its own."""
        assert level_dbfs(clean(engine.stream(), AudioFormat().silence(2))) < -80

    def test_sessions_never_mix(self, engine: NoiseCanceller) -> None:
        """A stream beside another cleans as it does alone."""
        alone = clean(engine.stream(), HUMAN[1].pcm)
        mine, other, together = engine.stream(), engine.stream(), b""
        for start in range(0, len(HUMAN[1].pcm), 640):
            together += mine.process(HUMAN[1].pcm[start : start + 640])
            other.process(HUMAN[0].pcm[start : start + 640])
        assert together == alone


class TestWebrtc(NoiseSuite):
    """The default."""

    name = "webrtc"

    def test_hiss_becomes_quieter(self, engine: NoiseCanceller) -> None:
        """By at least 10 dB, after a second."""
        out = clean(engine.stream(), white_noise(-40))
        assert level_dbfs(out[32_000:]) < -50


class TestNone(NoiseSuite):
    """Does nothing, well."""

    name = "none"


class TestMock(NoiseSuite):
    """Does nothing, by script."""

    name = "mock"


def _ignore(recognition: Recognition) -> None:
    del recognition
