"""Everything here does what Voicebackend asks of its kind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from telegraph.sound import key, read

from providers.conformance import ProviderSuite, SttSuite, TtsSuite
from providers.registry import STT, TTS, VAD
from voicebackend import BackendConfig
from voicebackend.audio import PIPELINE_RATE
from voicebackend.errors import InvalidConfig
from voicebackend.interfaces import SpeechToText, TextToSpeech

UNIT_S = 0.02
SENTENCES = ("what hath god wrought", "come here", "the sun rises at six")


def keyed(text: str) -> bytes:
    """Return a text in Morse code."""
    return b"".join(key(word, PIPELINE_RATE, UNIT_S) for word in text.split())


class TestTelegraph(ProviderSuite):
    """The provider, found by its entry point."""

    name = "telegraph"
    config = BackendConfig(provider="telegraph", provider_config={"unit": 0.03})


class TestVoice(TtsSuite):
    """The voice."""

    tolerated = 0.0

    @pytest.fixture
    def engine(self) -> TextToSpeech:
        """Give the voice."""
        return TTS.create("morse")

    @pytest.fixture
    def hear(self) -> Callable[[bytes], Awaitable[str]]:
        """Read it back."""

        async def heard(pcm: bytes) -> str:
            return read(pcm, PIPELINE_RATE, UNIT_S)

        return heard


class TestEar(SttSuite):
    """The ear."""

    tolerated = 0.0

    @pytest.fixture
    def engine(self) -> SpeechToText:
        """Give the ear."""
        return STT.create("morse")

    @pytest.fixture
    def said(self) -> list[tuple[bytes, str]]:
        """Give three utterances."""
        return [(keyed(text), text) for text in SENTENCES]


def test_who_keys_is_speaking_between_the_tones_too() -> None:
    """And has stopped a moment after the last."""
    found = VAD.create("morse").stream().process(bytes(640 * 5) + keyed("hi there") + bytes(640 * 20))
    assert found[:5] == [0.0] * 5
    assert 0.0 not in found[5 : found.index(0.0, 6)]
    assert "".join(str(round(probability)) for probability in found).strip("0").count("0") == 0
    assert found[-1] == 0.0


@pytest.mark.parametrize("unit", [0, -1, 1, "fast"])
def test_a_wrong_speed_is_named(unit: object) -> None:
    """At the edge."""
    with pytest.raises(InvalidConfig) as caught:
        TTS.create("morse", {"unit": unit})
    assert caught.value.details["field"] == "unit"
