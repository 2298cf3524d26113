"""When the caller speaks, by a detector of ours."""

from __future__ import annotations

import pytest

from providers.engines.vad.energy import EnergyVad
from providers.engines.vad.hearing import Hearing
from providers.mock.tones import speak
from voicebackend.audio import PIPELINE_RATE, AudioFormat

FORM = AudioFormat()
SPEECH = speak("hello", PIPELINE_RATE)


async def heard(hearing: Hearing, pcm: bytes) -> list[tuple[str, float]]:
    """Return what is noticed, with the silence that it tells of."""
    size = FORM.frame_bytes
    pieces = [pcm[at : at + size] for at in range(0, len(pcm), size)]
    return [(event.kind, event.silence_s) for piece in pieces for event in await hearing.push(piece)]


async def test_speech_starts_and_stops_once() -> None:
    """The stop tells of the silence before it; pauses between words are none."""
    hearing = Hearing(EnergyVad())
    found = await heard(hearing, FORM.silence(0.5) + SPEECH + FORM.silence(0.1) + SPEECH + FORM.silence(0.5))
    assert found == [("speech_started", 0.0), ("speech_stopped", pytest.approx(0.2, abs=0.02))]
    assert hearing.silence_s == pytest.approx(0.5, abs=0.1)


async def test_a_click_is_no_speech() -> None:
    """Nor is silence."""
    assert await heard(Hearing(EnergyVad()), FORM.silence(0.5) + SPEECH[:640] + FORM.silence(0.5)) == []


async def test_who_goes_on_speaking_after_the_words_begins_anew() -> None:
    """The words of what was said come with the end of it; then there is more."""
    hearing = Hearing(EnergyVad())
    await heard(hearing, FORM.silence(0.5) + SPEECH)
    assert [event.kind for event in hearing.understood()] == ["speech_stopped"]
    assert hearing.understood() == []
    assert [kind for kind, _ in await heard(hearing, SPEECH)] == ["speech_started"]
