"""What every speech-to-speech engine must do: each inherits the suite."""

from __future__ import annotations

import pytest

from providers.conformance.s2s import SayingSuite
from providers.registry import S2S
from voicebackend.interfaces import SpeechToSpeech


class TestMock(SayingSuite):
    """By script."""

    @pytest.fixture
    def engine(self) -> SpeechToSpeech:
        """Give the mock model."""
        return S2S.create("mock")


class TestMockThatPlays(SayingSuite):
    """By script, with audio of the test's instead of tones."""

    @pytest.fixture
    def engine(self) -> SpeechToSpeech:
        """Give the mock model, half a second to be played in pieces."""
        return S2S.create("mock", {"audio": [bytes(24_000)], "piece": 0.1, "delay": 0.05})
