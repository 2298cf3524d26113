"""G.711 against the recommendation's tables, and the noise that it adds."""

from __future__ import annotations

import sys
import warnings
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from snr import sine, snr_db
from voices import recordings

from voicebackend.audio import PIPELINE_RATE, resample
from voicebackend.codecs import Codec, Encoding, open_codec
from voicebackend.errors import InvalidFormat

EVERY_SAMPLE = np.arange(1 << 16, dtype=np.uint16).astype("<u2").tobytes()
EVERY_BYTE = bytes(range(256))
BOTH = pytest.mark.parametrize("law", [Encoding.MULAW, Encoding.ALAW])


@pytest.fixture(name="oracle")
def _oracle() -> Any:
    """Give the standard library's codec, where it still has one."""
    if sys.version_info >= (3, 13):
        pytest.skip("audioop is gone; the spot checks remain")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return import_module("audioop")


def round_trip(codec: Codec, pcm: bytes) -> bytes:
    """Return what arrives."""
    return b"".join(map(codec.decode, codec.encode(pcm)))


@pytest.mark.parametrize(("law", "name"), [(Encoding.MULAW, "ulaw"), (Encoding.ALAW, "alaw")])
def test_every_sample_and_every_byte_is_converted_as_the_standard_library_does(
    law: Encoding, name: str, oracle: Any
) -> None:
    """All 65536 one way, all 256 the other."""
    codec = open_codec(law, 8_000)
    assert codec.encode(EVERY_SAMPLE) == [getattr(oracle, f"lin2{name}")(EVERY_SAMPLE, 2)]
    assert codec.decode(EVERY_BYTE) == getattr(oracle, f"{name}2lin")(EVERY_BYTE, 2)


@pytest.mark.parametrize(
    ("law", "samples"),
    [
        (Encoding.MULAW, {0xFF: 0, 0x7F: 0, 0x80: 32124, 0x00: -32124, 0xFE: 8, 0xD5: 716}),
        (Encoding.ALAW, {0xD5: 8, 0x55: -8, 0xAA: 32256, 0x2A: -32256, 0xD4: 24}),
    ],
)
def test_some_bytes_of_the_recommendation(law: Encoding, samples: dict[int, int]) -> None:
    """Zeros, extremes and steps."""
    decoded = np.frombuffer(open_codec(law, 8_000).decode(bytes(samples)), "<i2")
    assert decoded.tolist() == list(samples.values())


@BOTH
def test_what_was_decoded_encodes_to_the_same_again(law: Encoding) -> None:
    """A second gateway on the way adds no noise; µ-law has two zeros."""
    codec = open_codec(law, 8_000)
    once = codec.decode(EVERY_BYTE)
    assert round_trip(codec, once) == once


@BOTH
@pytest.mark.parametrize(("amplitude", "least"), [(32_767, 38), (3_276, 38), (300, 32)])
def test_noise_stays_38_db_below_a_sine_at_every_level(law: Encoding, amplitude: int, least: float) -> None:
    """That is what eight bits by segments give, down to -20 dB; below -40 dB the steps are of one size."""
    tone = sine(8_000, 1_020, amplitude=amplitude)
    assert snr_db(tone, round_trip(open_codec(law, 8_000), tone)) > least


@BOTH
def test_noise_stays_36_db_below_speech(law: Encoding) -> None:
    """Measured on every recording."""
    codec = open_codec(law, 8_000)
    speech = [resample(voice.pcm, PIPELINE_RATE, 8_000) for voice in recordings()]
    assert min(snr_db(pcm, round_trip(codec, pcm)) for pcm in speech) > 36


@BOTH
def test_the_telephone_has_one_rate(law: Encoding) -> None:
    """Any other is refused, with the field."""
    with pytest.raises(InvalidFormat, match="8000") as caught:
        open_codec(law, 16_000)
    assert caught.value.details == {"field": "sample_rate"}
