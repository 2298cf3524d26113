"""Mock speech: text to tones and back."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from voices import recordings, white_noise

from providers.mock.tones import speak, spoken
from voicebackend.audio import resample


@settings(deadline=None, max_examples=30)
@given(text=st.text(max_size=20), rate=st.sampled_from([8000, 16_000, 24_000, 44_100, 48_000]))
def test_any_text_can_be_read_back(text: str, rate: int) -> None:
    """At any rate that a caller may use."""
    assert spoken(speak(text, rate), rate) == text


@pytest.mark.parametrize("pace", [0.03, 0.06, 0.2])
def test_it_survives_the_way_to_a_telephone_and_back(pace: float) -> None:
    """24 kHz to 8 kHz to 16 kHz."""
    narrow = resample(speak("Canary 42!", 24_000, pace), 24_000, 8_000)
    assert spoken(resample(narrow, 8_000, 16_000), 16_000) == "Canary 42!"


def test_what_was_cut_short_reads_as_its_beginning() -> None:
    """An interrupted answer shows how far it came."""
    pcm = speak("interrupted", 16_000, 0.1)
    assert spoken(pcm[: 2 * 8_000], 16_000) == "inter"


def test_silence_between_words_adds_nothing() -> None:
    """Pieces are read as one text."""
    assert spoken(speak("one ", 16_000) + bytes(32_000) + speak("two", 16_000), 16_000) == "one two"


@pytest.mark.parametrize("pcm", [b"", bytes(3200), white_noise(-20, 1), recordings()[0].pcm], ids=len)
def test_other_sound_is_no_text(pcm: bytes) -> None:
    """Silence, hiss and people say nothing to a machine."""
    assert spoken(pcm, 16_000) == ""
