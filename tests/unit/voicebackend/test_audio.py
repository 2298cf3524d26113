"""Frames, and conversion between rates."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebackend.audio import (
    AudioFormat,
    AudioFrame,
    FrameCutter,
    Resampler,
    from_floats,
    level_dbfs,
    resample,
    to_floats,
    to_pcm,
    to_samples,
    whole_samples,
)
from voicebackend.errors import InvalidFormat


def tone(rate: int, hertz: float = 1000.0, seconds: float = 1.0) -> bytes:
    """Return a sine at -10 dBFS."""
    time = np.arange(round(rate * seconds)) / rate
    return to_pcm(10_000 * np.sin(2 * np.pi * hertz * time))


@given(st.lists(st.binary(max_size=2000), max_size=20))
def test_cutting_loses_nothing_and_keeps_the_odd_byte(pieces: list[bytes]) -> None:
    """Frames and what is flushed are the input again, up to a half sample that waits for its other half."""
    cutter = FrameCutter(16_000)
    frames = [frame for piece in pieces for frame in cutter.push(piece)]
    assert all(len(frame) == 640 for frame in frames)
    whole, out = b"".join(pieces), b"".join(frames) + cutter.flush()
    assert out == whole[: len(whole) // 2 * 2]


@given(st.lists(st.binary(max_size=9), max_size=20))
def test_half_samples_wait_for_their_other_half(pieces: list[bytes]) -> None:
    """Whole samples come of each piece, and together they are the input, up to half a sample."""
    found, odd = [], b""
    for piece in pieces:
        whole, odd = whole_samples(odd + piece)
        found.append(whole)
    assert all(len(whole) % 2 == 0 for whole in found)
    assert b"".join(found) + odd == b"".join(pieces)
    assert len(odd) < 2


@pytest.mark.parametrize(
    ("source", "target"), [(16_000, 8_000), (8_000, 16_000), (24_000, 16_000), (48_000, 16_000), (16_000, 48_000)]
)
def test_a_tone_survives_conversion(source: int, target: int) -> None:
    """The tone is where it was, at over 80 dB above the error, and the buffer as long as it was."""
    out = to_samples(resample(tone(source), source, target)).astype(float)
    time = np.arange(len(out)) / target
    error = (out - 10_000 * np.sin(2 * np.pi * 1000 * time))[target // 20 : -target // 20]
    assert len(out) == target
    assert 10 * np.log10(5e7 / np.mean(error**2)) > 80


@pytest.mark.parametrize("hertz", [5_000, 6_500, 7_500])
def test_what_the_target_rate_cannot_carry_is_removed(hertz: float) -> None:
    """Nothing above half the target rate folds back into the voice band."""
    assert level_dbfs(resample(tone(16_000, hertz), 16_000, 8_000)[1600:-1600]) < -75


@given(st.integers(8_000, 48_000), st.lists(st.integers(1, 1500), min_size=1, max_size=8))
def test_conversion_in_pieces_is_conversion_in_one(rate: int, sizes: list[int]) -> None:
    """How the stream was cut does not show, at any rate."""
    rng = np.random.default_rng(1)
    pcm = rng.integers(-20_000, 20_000, sum(sizes)).astype("<i2").tobytes()
    stream, at, pieces = Resampler(rate, 16_000), 0, []
    for size in sizes:
        pieces.append(stream.process(pcm[at * 2 : (at + size) * 2]))
        at += size
    assert b"".join(pieces) == Resampler(rate, 16_000).process(pcm)


@pytest.mark.parametrize("rate", [0, 7_999, 48_001, -16_000])
def test_a_rate_out_of_range_is_refused(rate: int) -> None:
    """8 to 48 kHz; the error names the field."""
    with pytest.raises(InvalidFormat) as caught:
        AudioFormat(sample_rate=rate)
    assert caught.value.details == {"field": "sample_rate"}


def test_durations_and_silence() -> None:
    """Bytes and seconds agree."""
    format_ = AudioFormat(sample_rate=8_000)
    assert format_.frame_bytes == 320
    assert format_.duration_s(format_.silence(0.5)) == 0.5
    assert AudioFrame(pcm=bytes(320), sample_rate=8_000).duration_ms == 20


def test_floats_are_clipped_and_half_samples_refused() -> None:
    """No wrap-around at full scale, and PCM is whole samples."""
    assert to_samples(from_floats(np.array([2.0, -2.0, 0.0]))).tolist() == [32767, -32768, 0]
    assert to_floats(b"\x00\x80").tolist() == [-1.0]
    with pytest.raises(InvalidFormat):
        to_samples(b"\x01")


def test_levels() -> None:
    """Silence is -120 dB, a full-scale sine about -3 dB."""
    assert level_dbfs(b"") == level_dbfs(bytes(640)) == -120.0
    assert level_dbfs(to_pcm(32_767 * np.sin(np.arange(16_000) / 10))) == pytest.approx(-3.0, abs=0.1)
