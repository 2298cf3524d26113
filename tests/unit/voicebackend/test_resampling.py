"""One resampler for the life of a session: nothing lost, nothing added, in whatever pieces; measured by its noise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from snr import sine, snr_db, sweep
from voices import recordings

from voicebackend.audio import PIPELINE_RATE, Resampler, resample, to_pcm, to_samples
from voicebackend.errors import InvalidFormat
from voicebackend.polyphase import polyphase

RATES = [8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000]
NOISE = np.random.default_rng(3).integers(-20_000, 20_000, 9_000).astype("<i2").tobytes()


def telephone_band(pcm: bytes, rate: int) -> bytes:
    """Return only what every rate can carry: below 3.3 kHz."""
    spectrum = np.fft.rfft(to_samples(pcm).astype(np.float64))
    spectrum[np.fft.rfftfreq(len(pcm) // 2, 1 / rate) > 3_300] = 0
    return to_pcm(np.fft.irfft(spectrum, len(pcm) // 2))


def there_and_back(pcm: bytes, rate: int, through: int) -> bytes:
    """Return what a stream of 20 ms frames becomes, converted and converted back."""
    up, down = Resampler(rate, through), Resampler(through, rate)
    step = rate // 50 * 2
    middle = [up.process(pcm[at : at + step]) for at in range(0, len(pcm), step)]
    return b"".join([*map(down.process, [*middle, up.flush()]), down.flush()])


@pytest.mark.parametrize("rate", RATES)
def test_tones_and_sweeps_come_back_at_75_db(rate: int) -> None:
    """Caller's rate to 16 kHz and back; rounding to 16 bits twice alone costs that much of a tone at -10 dB."""
    tones = [sine(rate, hertz) for hertz in (300, 1_000, 3_100)]
    for pcm in [*tones, sweep(rate, first=200, last=3_300)]:
        assert snr_db(pcm, there_and_back(pcm, rate, PIPELINE_RATE)) > 75


@pytest.mark.parametrize("rate", RATES)
def test_speech_comes_back_at_65_db(rate: int) -> None:
    """Every recording, in the band that all rates have."""
    for voice in recordings():
        pcm = telephone_band(resample(voice.pcm, PIPELINE_RATE, rate), rate)
        assert snr_db(pcm, there_and_back(pcm, rate, PIPELINE_RATE)) > 65


@given(st.sampled_from(RATES), st.sampled_from(RATES), st.lists(st.integers(0, 1_500), min_size=1, max_size=6))
@settings(max_examples=150, deadline=None)
def test_how_a_stream_is_cut_shows_in_no_bit_between_any_two_rates(source: int, target: int, sizes: list[int]) -> None:
    """Two utterances of one stream, each the same as in one piece by a resampler of its own."""
    stream = Resampler(source, target)
    for _ in range(2):
        at, pieces = 0, []
        for size in sizes:
            pieces.append(stream.process(NOISE[at * 2 : (at + size) * 2]))
            at += size
        whole = Resampler(source, target)
        assert b"".join([*pieces, stream.flush()]) == whole.process(NOISE[: at * 2]) + whole.flush()


@given(st.integers(8_000, 48_000), st.integers(8_000, 48_000), st.integers(1, 4_000))
@settings(max_examples=100, deadline=None)
def test_an_utterance_keeps_its_length(source: int, target: int, samples: int) -> None:
    """Flushed, it is as long as it was, and the delay of the filter longer, to a sample."""
    stream = Resampler(source, target)
    out = len(stream.process(NOISE[: samples * 2]) + stream.flush()) / 2
    delay = 0 if source == target else np.ceil(24 * max(1, source / target))
    assert out == pytest.approx((len(NOISE[: samples * 2]) / 2 + delay) * target / source, abs=1.01)


def test_the_last_milliseconds_are_not_lost() -> None:
    """A click on the very last sample comes out whole, and only of the flush."""
    click = bytes(3_998) + b"\x00\x40"
    stream = Resampler(16_000, 48_000)
    before, after = stream.process(click), stream.flush()
    assert np.max(np.abs(to_samples(before))) < np.max(np.abs(to_samples(after)))
    assert np.max(to_samples(after)) > 0x3800


def test_nothing_bleeds_into_the_next_utterance() -> None:
    """Silence after a flush is digital silence."""
    stream = Resampler(24_000, 16_000)
    stream.process(NOISE)
    stream.flush()
    assert stream.process(bytes(4_800)) == bytes(3_200)


@pytest.mark.parametrize(("first", "second"), [(8_000, 48_000), (48_000, 8_000), (16_000, 44_100)])
def test_a_caller_may_come_back_at_another_rate(first: int, second: int) -> None:
    """Within an utterance: what follows is as loud and as clean as before, without a gap or a click."""
    stream, tone = Resampler(24_000, first), sine(24_000, 500, seconds=1)
    stream.process(tone[:24_000])
    stream.retarget(second)
    assert stream.target_rate == second
    after = stream.process(tone[24_000:]) + stream.flush()
    assert len(after) / 2 == pytest.approx(second / 2, abs=second * 0.003)
    assert snr_db(sine(second, 500, seconds=0.6), after) > 60


def test_a_rate_out_of_range_changes_nothing() -> None:
    """The error names the field; the stream goes on."""
    stream = Resampler(16_000, 8_000)
    with pytest.raises(InvalidFormat):
        stream.retarget(7_000)
    assert stream.target_rate == 8_000
    assert len(stream.process(bytes(640))) == 320


def test_coefficients_are_exact_in_sums_of_any_order() -> None:
    """Multiples of 2**-28 times 16-bit samples: less than 53 bits."""
    phases = polyphase(640, 441)._phases
    grains = phases * 2**28
    assert np.array_equal(grains, np.rint(grains))
    assert np.max(np.abs(grains).sum(axis=1)) * 32_768 < 2**53
    assert np.allclose(phases.sum(axis=1), 1, atol=1e-6)
