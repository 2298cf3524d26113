"""A model is spared the quiet of the line, and misses nothing by it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from providers.engines.vad.gate import HOLD_WINDOWS, Gate
from providers.engines.vad.silero import SileroVad
from providers.transcribe import read
from voicebackend.audio import to_floats

VOICES = sorted((Path(__file__).parents[2] / "data" / "voices").glob("*.wav"))
WINDOW = 512


def noise(dbfs: float, seconds: float, seed: int = 1) -> bytes:
    """Return white noise of this level, 16 kHz."""
    samples = np.random.default_rng(seed).normal(0, 10 ** (dbfs / 20), round(16_000 * seconds))
    return (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()


def opened(pcm: bytes) -> list[bool]:
    """Return for each window whether the gate opens."""
    gate, samples = Gate(), to_floats(pcm)
    return [gate.opens(samples[at : at + WINDOW]) for at in range(0, len(samples) - WINDOW + 1, WINDOW)]


@pytest.mark.parametrize("dbfs", [-90, -70, -55, -45])
def test_a_steady_line_is_not_judged_once_it_is_known(dbfs: float) -> None:
    """However much it hisses, after a while; half of that and less at once."""
    found = opened(noise(dbfs, 20))
    assert not any(found[-100:])


def test_loud_noise_is_always_judged() -> None:
    """What is louder than any line could be speech at any moment."""
    assert all(opened(noise(-20, 5)))


def test_speech_and_half_a_second_after_it_are_judged() -> None:
    """The model hears how it ends."""
    quiet, voice = noise(-70, 10), noise(-30, 1)
    found = opened(quiet + voice + quiet)
    start, end = len(quiet) // 2 // WINDOW, (len(quiet) + len(voice)) // 2 // WINDOW
    assert all(found[start + 1 : end])
    assert all(found[end : end + HOLD_WINDOWS - 1])
    assert not any(found[end + HOLD_WINDOWS + 2 :])


@pytest.mark.parametrize("path", VOICES, ids=lambda path: path.stem)
@pytest.mark.parametrize("line_dbfs", [-90, -60, -45])
async def test_speech_is_found_where_it_is_without_the_gate(
    path: Path, line_dbfs: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Begin and end of every stretch of speech, within two windows."""
    engine = SileroVad()
    await engine.open()
    pcm = noise(line_dbfs, 3) + read(path) + noise(line_dbfs, 2)
    with_gate = _changes(engine.stream().process(pcm))
    monkeypatch.setattr(Gate, "opens", lambda *_: True)
    without = _changes(engine.stream().process(pcm))
    await engine.aclose()
    assert len(with_gate) == len(without)
    assert all(abs(one - other) <= 2 for one, other in zip(with_gate, without, strict=True))


def _changes(probabilities: list[float]) -> list[int]:
    """Return the windows at which speech begins or ends, as the endpointing takes it."""
    speaking, found = False, []
    for at, probability in enumerate(probabilities):
        if speaking != (probability >= (0.35 if speaking else 0.5)):
            speaking = not speaking
            found.append(at)
    return found
