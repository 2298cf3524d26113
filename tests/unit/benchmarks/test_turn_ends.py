"""The endpointing benchmark: its truth, its scores, and the words that both halves may not share."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

from benchmarks.turn_ends.corpus import Turn
from benchmarks.turn_ends.score import compared, score
from benchmarks.turn_ends.sound import NOISES, noise, resampled, rms_dbfs, telephone
from benchmarks.turn_ends.truth import Speech, speech
from voicebackend.audio import PIPELINE_RATE

HERE = Path(__file__).parents[3] / "benchmarks" / "turn_ends"
RNG = np.random.default_rng(11)


def turn(name: str, end_s: float, *pauses: tuple[float, float]) -> Turn:
    """Return a turn of which only the truth counts."""
    truth = Speech(start_s=0.5, end_s=end_s, pauses=pauses)
    return Turn(name=name, group="any", half="held_out", line="quiet", text="", pcm=b"", speech=truth)


def test_pauses_and_the_end_are_found_in_noisy_recordings() -> None:
    """To a few hundredths; a gap within a word is none."""
    sounds = [(0.0, 0.4), (0.3, 0.8), (0.0, 0.1), (0.3, 0.5), (0.0, 0.6), (0.3, 0.7), (0.0, 0.5)]
    signal = np.concatenate([level * np.sin(np.arange(round(s * PIPELINE_RATE)) / 9) for level, s in sounds])
    signal += RNG.normal(size=len(signal)) * 0.003
    found = speech(signal)
    assert found.start_s == pytest.approx(0.4, abs=0.04)
    assert found.end_s == pytest.approx(3.1, abs=0.04)
    assert found.pauses == (pytest.approx((1.8, 2.4), abs=0.04),)


def test_who_is_cut_off_is_not_counted_as_having_waited_little() -> None:
    """Waits are those of turns that were left to finish; one that nothing ended is told."""
    turns = [turn("cut", 3.0, (1.0, 1.6)), turn("fast", 2.0), turn("slow", 2.0, (1.0, 1.5)), turn("never", 2.0)]
    decisions = {"cut": [1.4, 3.4], "fast": [2.3], "slow": [3.0], "never": []}
    found = score(turns, {f"held_out/{name}": at for name, at in decisions.items()})
    assert (found["turns"], found["cut_off"], found["never_ended"]) == (4, 0.25, 1)
    assert (found["pauses"], found["pauses_cut"]) == (2, 0.5)
    assert found["wait_ms"]["mean"] == pytest.approx(650)


@pytest.mark.parametrize(
    ("cut", "wait", "holds"), [(0.2, 400, True), (0.3, 300, True), (0.25, 450, False), (0.31, 100, False)]
)
def test_the_target_is_no_worse_in_either_and_a_third_better_in_one(cut: float, wait: float, holds: bool) -> None:
    """Against 30 % cut off and 500 ms."""
    ours, other = ({"cut_off": share, "wait_ms": {"mean": ms}} for share, ms in ((cut, wait), (0.3, 500)))
    assert compared(ours, other)["holds"] is holds


def test_the_halves_share_no_text_and_no_recording() -> None:
    """What is tuned on the one is scored on the other."""
    texts = yaml.safe_load((HERE / "texts.yaml").read_text("utf-8"))
    development, held_out = ({said for group in half.values() for said in group} for half in texts.values())
    assert list(texts) == ["development", "held_out"]
    assert not development & held_out
    assert [len(group) for group in texts["development"].values()] == [len(g) for g in texts["held_out"].values()]
    people = json.loads((HERE / "recordings.json").read_text("utf-8"))
    assert {entry["half"] for entry in people} == {"development", "held_out"}
    assert len({entry["text"] for entry in people}) == len(people)


@pytest.mark.parametrize("kind", NOISES)
def test_a_noise_has_the_level_asked_for(kind: str) -> None:
    """Within a thousandth of a decibel, and the same each time."""
    first, second = (noise(kind, 3 * PIPELINE_RATE, -30, np.random.default_rng(1)) for _ in range(2))
    assert rms_dbfs(first) == pytest.approx(-30, abs=1e-3)
    assert np.array_equal(first, second)


def test_a_telephone_passes_its_band_only() -> None:
    """From 300 to 3400 Hz."""
    time = np.arange(PIPELINE_RATE) / PIPELINE_RATE
    low, middle = (0.3 * np.sin(2 * np.pi * hertz * time) for hertz in (100, 1000))
    assert rms_dbfs(telephone(low)) < -60
    assert rms_dbfs(telephone(middle) - middle) < -35


def test_a_pitch_is_raised_by_playing_faster() -> None:
    """A tone of 500 Hz made 1.2 times shorter is one of 600 Hz."""
    tone = np.sin(2 * np.pi * 500 * np.arange(12_000) / PIPELINE_RATE)
    raised = resampled(tone, 1.2)
    assert len(raised) == 10_000
    assert np.abs(np.fft.rfft(raised)).argmax() * PIPELINE_RATE / len(raised) == pytest.approx(600, abs=2)
