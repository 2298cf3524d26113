"""The caller's audio on its way in: whole, in 20 ms frames of 16 kHz, and within bounds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from control.gateway.uplink import BURST_S, TooLarge, Uplink
from voicebackend.codecs.codec import Pcm16
from voicebackend.errors import InvalidFormat, RateLimitExceeded


@given(st.lists(st.integers(0, 3200), max_size=50))
@settings(max_examples=300, deadline=None)
def test_every_byte_arrives_once_and_in_order(lengths: list[int]) -> None:
    """Cut anyhow at 16 kHz, the stream comes out as it went in."""
    uplink, sent, got = Uplink(Pcm16(16_000)), b"", b""
    for number, length in enumerate(lengths):
        piece = bytes((number + i) % 251 for i in range(length * 2))
        sent += piece
        frames = uplink.push(piece, number * 0.2)
        assert all(len(frame) == 640 for frame in frames)
        got += b"".join(frames)
        assert uplink.has_rest == (len(sent) > len(got))
    assert got + b"".join(uplink.flush()) == sent
    assert not uplink.has_rest


@pytest.mark.parametrize("rate", [8_000, 11_025, 22_050, 24_000, 44_100, 48_000])
def test_other_rates_are_brought_to_16_khz(rate: int) -> None:
    """A second of a 440 Hz tone stays one, at its level."""
    tone = (np.sin(2 * np.pi * 440 * np.arange(rate) / rate) * 10_000).astype("<i2").tobytes()
    uplink, step = Uplink(Pcm16(rate)), rate // 50 * 2
    frames = [frame for at in range(0, len(tone), step) for frame in uplink.push(tone[at : at + step], at / rate / 2)]
    samples = np.frombuffer(b"".join([*frames, *uplink.flush()]), "<i2").astype(float)
    assert len(samples) == pytest.approx(16_000, abs=40)
    spectrum = np.abs(np.fft.rfft(samples[1000:15000] * np.hanning(14_000)))
    assert np.argmax(spectrum) * 16_000 / 14_000 == pytest.approx(440, abs=2)
    assert np.std(samples[1000:15000]) == pytest.approx(10_000 / np.sqrt(2), rel=0.02)


@pytest.mark.parametrize(
    ("rate", "length", "error"),
    [(16_000, 641, InvalidFormat), (16_000, 6402, TooLarge), (48_000, 19_202, TooLarge), (48_000, 65_538, TooLarge)],
)
def test_a_message_out_of_bounds_is_refused(rate: int, length: int, error: type[Exception]) -> None:
    """Odd, or longer than 200 ms; and nothing of it stays."""
    uplink = Uplink(Pcm16(rate))
    with pytest.raises(error):
        uplink.push(bytes(length), 0.0)
    assert not uplink.has_rest


def test_200_ms_are_just_allowed() -> None:
    """The bound itself is in."""
    assert len(Uplink(Pcm16(16_000)).push(bytes(6400), 0.0)) == 10


def test_a_burst_is_fine_and_a_flood_is_not() -> None:
    """Half a minute may come at once, as after a lost connection; then it is real time."""
    uplink = Uplink(Pcm16(16_000))
    for _ in range(round(BURST_S / 0.2)):
        uplink.push(bytes(6400), 1.0)
    with pytest.raises(RateLimitExceeded):
        uplink.push(bytes(6400), 1.0)
    patient = Uplink(Pcm16(16_000))
    for number in range(3000):
        patient.push(bytes(6400), number * 0.19)
