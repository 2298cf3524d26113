"""What every voice must do: each engine inherits the suite."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from providers.conformance.tts import SENTENCES, Hear, TtsSuite, chunks
from providers.mock.tones import spoken
from providers.registry import TTS
from voicebackend.audio import PIPELINE_RATE
from voicebackend.interfaces import Recognition, SpeechToText, TextToSpeech, WordTime


class TestMock(TtsSuite):
    """Speaks in tones."""

    tolerated = 0.0

    @pytest.fixture
    def engine(self) -> TextToSpeech:
        """Give the mock voice."""
        return TTS.create("mock")

    @pytest.fixture
    def hear(self) -> Hear:
        """Read tones back."""

        async def read(pcm: bytes) -> str:
            return spoken(pcm, PIPELINE_RATE)

        return read


class TestMockThatTellsWordTimes(TestMock):
    """Tells when each word sounds."""

    @pytest.fixture
    def engine(self) -> TextToSpeech:
        """Give the mock voice."""
        return TTS.create("mock", {"word_times": True})

    async def test_every_word_has_its_time(self, engine: TextToSpeech) -> None:
        """The last ends where the audio ends."""
        async with chunks(engine, SENTENCES[0]) as found:
            everything = [chunk async for chunk in found]
        words = [chunk for chunk in everything if isinstance(chunk, WordTime)]
        assert [word.word for word in words] == SENTENCES[0].split()
        assert words[-1].end_s == pytest.approx(len(SENTENCES[0]) * 0.06)


class TestHibari(TtsSuite):
    """Speaks English."""

    @pytest.fixture
    def engine(self, open_engine: Callable[[str, str], TextToSpeech]) -> TextToSpeech:
        """Give the voice."""
        return open_engine("tts", "hibari")

    @pytest.fixture
    def hear(self, moonshine: SpeechToText) -> Hear:
        """Recognise with the offline recogniser."""

        async def recognise(pcm: bytes) -> str:
            stream = await moonshine.stream(_ignore)
            await stream.push(pcm)
            return (await stream.finish()).text

        return recognise


def _ignore(recognition: Recognition) -> None:
    del recognition
