"""What is written out for a voice is understood: it is spoken, recognised, and compared word by word."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from spoken_form import spoken_form

from voicebackend.audio import PIPELINE_RATE, resample
from voicebackend.cli.words import word_error
from voicebackend.interfaces import Recognition, SpeechToText, TextToSpeech

TOLERATED = 0.15
"""Word error rate: one word of a short sentence."""


@pytest.fixture
def hibari(open_engine: Callable[[str, str], TextToSpeech]) -> TextToSpeech:
    """Give the offline voice."""
    return open_engine("tts", "hibari")


@pytest.mark.parametrize(
    "written",
    [
        pytest.param("Your balance is $1,234.56.", id="money"),
        pytest.param("The ticket costs €20 per person.", id="euros"),
        pytest.param("Your appointment is on Nov 22nd at 3:30pm.", id="date and time"),
        pytest.param("The meeting is on 2026-11-22.", id="iso date"),
        pytest.param("Please call 555-123-4567.", id="telephone number"),
        pytest.param("It is 5 km from here, approx. 10 min. by car.", id="measures"),
        pytest.param("Write to ann@example.com today.", id="mail"),
        pytest.param("**Dr. Smith** will see you at 14:05 😀.", id="markup"),
        pytest.param("Your order is AB-1234.", id="code"),
    ],
)
async def test_it_is_understood(written: str, hibari: TextToSpeech, moonshine: SpeechToText) -> None:
    """The words heard, written out in the same way, are the words spoken."""
    spoken = spoken_form(written)
    pcm = b"".join([chunk async for chunk in hibari.synthesize(spoken) if isinstance(chunk, bytes)])
    stream = await moonshine.stream(_ignore)
    await stream.push(resample(pcm, hibari.sample_rate, PIPELINE_RATE))
    heard = (await stream.finish()).text
    assert word_error(spoken, spoken_form(heard)) <= TOLERATED, (spoken, heard)


def _ignore(recognition: Recognition) -> None:
    del recognition
