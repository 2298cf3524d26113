"""Engines made of several do all that one must: with all well, and with the first in trouble from the start."""

from __future__ import annotations

import pytest
from flaky import FlakyS2s, FlakyStt, FlakyTts, Kind

from providers.conformance.s2s import SayingSuite
from providers.conformance.stt import Said, SttSuite
from providers.conformance.tts import Hear, TtsSuite
from providers.failover.candidates import Candidates
from providers.failover.s2s import FailoverS2s
from providers.failover.stt import FailoverStt
from providers.failover.tts import FailoverTts
from providers.mock.tones import speak, spoken
from voicebackend.audio import PIPELINE_RATE
from voicebackend.interfaces import SpeechToSpeech, SpeechToText, TextToSpeech

TROUBLE: tuple[Kind | None, ...] = (None, "dead", "limit")


@pytest.fixture(params=TROUBLE)
def kind(request: pytest.FixtureRequest) -> Kind | None:
    """Give what is wrong with the first engine."""
    found: Kind | None = request.param
    return found


class TestStt(SttSuite):
    """Two recognisers of tones."""

    tolerated = 0.0

    @pytest.fixture
    async def engine(self, kind: Kind | None) -> SpeechToText:
        """Give both as one."""
        first, second = FlakyStt("first"), FlakyStt("second")
        first.trouble.order(kind)
        return FailoverStt(Candidates([first, second]), timeout_s=1.0)

    @pytest.fixture
    def said(self) -> list[Said]:
        """Give canary words."""
        texts = ("canary one ", "yellow bird two ", "the third of them ")
        return [(speak(text, PIPELINE_RATE, 0.04), text) for text in texts]


class TestTts(TtsSuite):
    """Two voices of tones."""

    tolerated = 0.0

    @pytest.fixture
    async def engine(self, kind: Kind | None) -> TextToSpeech:
        """Give both as one."""
        first, second = FlakyTts("first", word_times=True), FlakyTts("second", word_times=True)
        first.trouble.order(kind)
        return FailoverTts(Candidates([first, second]), timeout_s=1.0)

    @pytest.fixture
    def hear(self) -> Hear:
        """Read tones back."""

        async def read(pcm: bytes) -> str:
            return spoken(pcm, PIPELINE_RATE)

        return read


class TestS2s(SayingSuite):
    """Two scripted models."""

    @pytest.fixture
    async def engine(self, kind: Kind | None) -> SpeechToSpeech:
        """Give both as one."""
        first, second = FlakyS2s("first"), FlakyS2s("second")
        first.trouble.order(kind)
        return FailoverS2s(Candidates([first, second]), timeout_s=4.0)
