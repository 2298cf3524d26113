"""What every turn detector must do: each engine inherits the suite."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from voices import recordings

from voicebackend.audio import AudioFormat
from voicebackend.interfaces import TurnDetector, TurnEvidence

SPOKEN = recordings()[0].pcm
ODD_TEXTS = ["", " ", "?", "…", "♪", "1", "日本", "\x00", "and " * 5000]


class TurnSuite:
    """Subclasses name the engine."""

    name: str

    @pytest.fixture
    def engine(self, open_engine: Callable[[str, str], TurnDetector]) -> TurnDetector:
        """Give the detector."""
        return open_engine("turn", self.name)

    @pytest.mark.parametrize("text", ODD_TEXTS, ids=lambda text: repr(text[:8]))
    @pytest.mark.parametrize("audio", [b"", SPOKEN[:2], SPOKEN], ids=["none", "a sample", "speech"])
    async def test_it_gives_a_probability_whatever_was_said(
        self, engine: TurnDetector, text: str, audio: bytes
    ) -> None:
        """From 0 to 1, for any text and audio."""
        assert 0 <= await engine.end_of_turn(TurnEvidence(text=text, silence_s=0.3, audio=audio)) <= 1

    async def test_a_whole_sentence_and_silence_end_the_turn(self, engine: TurnDetector) -> None:
        """Nobody waits for more."""
        audio = SPOKEN + AudioFormat().silence(0.5)
        evidence = TurnEvidence(text="I would like to book a table for two.", silence_s=0.5, audio=audio)
        assert await engine.end_of_turn(evidence) >= 0.9


class TestSilence(TurnSuite):
    """Leaves it to the voice detector."""

    name = "silence"


class TestDangling(TurnSuite):
    """Reads the last word."""

    name = "dangling"


class TestWebrtc(TurnSuite):
    """Listens to the end."""

    name = "webrtc"


class TestMock(TurnSuite):
    """By script."""

    name = "mock"
