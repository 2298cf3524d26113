"""What every speech recogniser must do: each engine inherits the suite."""

from __future__ import annotations

import pytest
from voices import recordings

from providers.conformance.stt import Said, SttSuite, ignore, push
from providers.mock.tones import speak
from providers.registry import STT
from voicebackend.audio import PIPELINE_RATE
from voicebackend.cli.words import word_error
from voicebackend.interfaces import SpeechToText


class TestMock(SttSuite):
    """Reads mock speech back."""

    tolerated = 0.0

    @pytest.fixture
    def engine(self) -> SpeechToText:
        """Give an ear that decodes tones."""
        return STT.create("mock", {"decode": True})

    @pytest.fixture
    def said(self) -> list[Said]:
        """Give canary words."""
        texts = ("canary one ", "yellow bird two ", "the third of them ")
        return [(speak(text, PIPELINE_RATE, 0.04), text) for text in texts]


class TestMoonshine(SttSuite):
    """Understands people."""

    @pytest.fixture
    def engine(self, moonshine: SpeechToText) -> SpeechToText:
        """Give the recogniser that the suites share."""
        return moonshine

    @pytest.fixture
    def said(self) -> list[Said]:
        """Give every recording, those of people first."""
        found = sorted(recordings(), key=lambda recording: not recording.human)
        return [(recording.pcm, recording.text) for recording in found]

    async def test_a_minute_without_pause_loses_no_words(self, engine: SpeechToText, said: list[Said]) -> None:
        """It is longer than the model can take at once, and cut at quiet moments."""
        stream = await engine.stream(ignore)
        await push(stream, b"".join(pcm for pcm, _ in said * 2))
        heard = (await stream.finish()).text
        assert word_error(" ".join(text for _, text in said * 2), heard) <= self.tolerated
