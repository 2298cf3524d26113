"""The formats in which agents hear and speak."""

from __future__ import annotations

import numpy as np
import pytest

from providers.elevenlabs.formats import Downlink, Uplink, WireFormat, wire_format
from voicebackend.audio import to_samples
from voicebackend.codecs.codec import Encoding
from voicebackend.errors import InvalidConfig

TONE = (8_000 * np.sin(np.arange(16_000) * 2 * np.pi * 440 / 16_000)).astype("<i2").tobytes()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("pcm_8000", WireFormat(8_000)),
        ("pcm_22050", WireFormat(22_050)),
        ("pcm_48000", WireFormat(48_000)),
        ("ulaw_8000", WireFormat(8_000, Encoding.MULAW)),
        ("alaw_8000", WireFormat(8_000, Encoding.ALAW)),
    ],
)
def test_names_are_read(name: str, expected: WireFormat) -> None:
    """All that agents can be set to, and that is spoken here."""
    assert wire_format(name) == expected


@pytest.mark.parametrize("name", ["mp3_44100_128", "opus_48000_32", "pcm_96000", "ulaw_16000", "", "pcm"])
def test_other_formats_are_refused_with_what_to_do(name: str) -> None:
    """It is a setting of the agent's."""
    with pytest.raises(InvalidConfig, match="set it to PCM"):
        wire_format(name)


@pytest.mark.parametrize("wire", [WireFormat(44_100), WireFormat(16_000), WireFormat(8_000, Encoding.MULAW)])
def test_audio_survives_there_and_back(wire: WireFormat) -> None:
    """In frames on the way there, in odd pieces on the way back."""
    up, down = Uplink(wire), Downlink(wire, 16_000)
    sent = b"".join(up.push(TONE[at : at + 640]) for at in range(0, len(TONE), 640))
    back = b"".join(down.push(sent[at : at + 333]) for at in range(0, len(sent), 333)) + down.flush()
    heard, said = to_samples(back).astype(float), to_samples(TONE).astype(float)
    assert abs(len(heard) - len(said)) < 200
    assert np.sqrt(np.mean(heard**2)) == pytest.approx(np.sqrt(np.mean(said**2)), rel=0.05)


def test_half_a_sample_at_the_end_of_an_answer_is_dropped() -> None:
    """The next answer is not shifted by it."""
    down = Downlink(WireFormat(16_000), 16_000)
    assert down.push(b"\x01\x00\x02") == b"\x01\x00"
    down.flush()
    assert down.push(b"\x03\x00") == b"\x03\x00"
