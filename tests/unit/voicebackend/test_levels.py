"""How loud audio is, and what the limiter does about it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from snr import sine, snr_db
from voices import recordings

from voicebackend.audio import level_dbfs, to_pcm, to_samples
from voicebackend.levels import CEILING, KNEE, LOUD, Limiter, Meter, measure, next_gain

SPEECH = recordings()[0].pcm


def amplified(pcm: bytes, times: float) -> bytes:
    """Return it louder, cut off at full scale."""
    return to_pcm(to_samples(pcm).astype(np.float64) * times)


def limited(pcm: bytes, *, rate: int = 16_000, step: int = 640) -> bytes:
    """Return what a stream of pieces becomes."""
    limiter = Limiter(rate)
    return b"".join(limiter.process(pcm[at : at + step]) for at in range(0, len(pcm), step))


@pytest.mark.parametrize("index", range(6))
def test_speech_of_a_usual_level_passes_in_every_bit(index: int) -> None:
    """At the level of the recordings, and twice that."""
    pcm = recordings()[index].pcm
    assert limited(pcm) == pcm
    quiet_enough = amplified(pcm, 0.75 * KNEE / np.abs(to_samples(pcm).astype(int)).max())
    assert limited(quiet_enough) == quiet_enough


def test_absurdly_loud_speech_is_turned_down_within_200_ms() -> None:
    """A square-like shout at full scale ends at the loudest that is allowed, and stays there."""
    shout = amplified(sine(16_000, 200, seconds=3), 30)
    out = limited(shout)
    assert level_dbfs(shout) > -1
    assert level_dbfs(out[2 * 3_200 :]) == pytest.approx(20 * np.log10(LOUD), abs=0.2)


@given(st.floats(1, 40), st.sampled_from([8_000, 16_000, 48_000]))
@settings(max_examples=30, deadline=None)
def test_no_sample_exceeds_the_ceiling_and_no_sign_flips(times: float, rate: int) -> None:
    """However loud it comes."""
    loud = amplified(SPEECH[:40_000], times)
    wanted, got = to_samples(loud).astype(int), to_samples(limited(loud, rate=rate)).astype(int)
    assert np.max(np.abs(got)) <= CEILING
    assert np.all(wanted * got >= 0)


@given(st.lists(st.integers(0, 3_000), min_size=1, max_size=20))
@settings(max_examples=50, deadline=None)
def test_how_the_stream_is_cut_shows_in_no_bit(sizes: list[int]) -> None:
    """Odd pieces and one piece give the same."""
    loud, limiter, at, out = amplified(SPEECH, 12), Limiter(16_000), 0, b""
    for size in sizes:
        out += limiter.process(loud[at * 2 : (at + size) * 2])
        at += size
    assert out == limited(loud[: at * 2], step=len(loud))


def test_it_does_not_pump() -> None:
    """From block to block the gain moves up by 0.3 dB at most, and in a pause not at all."""
    loud = amplified(SPEECH, 15)
    limiter, gains = Limiter(16_000), []
    for at in range(0, len(loud) - 3_199, 3_200):
        limiter.process(loud[at : at + 3_200])
        gains.append(limiter.gain)
    steps = np.diff(20 * np.log10(gains))
    assert min(gains) < 0.8
    assert np.max(steps) <= 0.301
    assert next_gain(0.5, 0.001) == 0.5


def test_turned_down_it_is_still_the_same_speech() -> None:
    """Apart from its level, which moves slowly, and rounded peaks: 20 dB against itself at a steady gain."""
    loud = amplified(sine(16_000, 300, seconds=2, amplitude=32_767), 0.9)
    steady = limited(loud)[2 * 8_000 :]
    reference = amplified(loud, LOUD / (0.9 / np.sqrt(2)))
    assert snr_db(reference[2 * 8_000 :], steady) > 60


def test_a_meter_tells_level_offset_and_overload() -> None:
    """Of a tone at -3 dB with an offset, of speech cut off at full scale, of silence, of the telephone's loudest."""
    tone = to_pcm(to_samples(sine(16_000, 400, amplitude=16_000)).astype(float) + 3_276.8)
    reading = measure(tone)
    assert (reading.level_dbfs, reading.offset) == pytest.approx((-9.2, 0.1), abs=0.05)
    assert not reading.clipped
    assert measure(amplified(SPEECH, 20)).clipped
    assert measure(bytes(640)).level_dbfs == -120
    assert measure(to_pcm(np.full(160, -32_124.0))).clipped


def test_a_meter_looks_at_one_piece_in_fifty_beginning_with_the_first() -> None:
    """Empty pieces do not count."""
    meter = Meter()
    readings = [meter.push(pcm) for pcm in [b"", *[bytes(640)] * 101]]
    assert [index for index, reading in enumerate(readings) if reading] == [1, 51, 101]
    assert all(Meter(every=1).push(bytes(2)) for _ in range(3))
