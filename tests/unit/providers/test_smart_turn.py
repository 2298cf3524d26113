"""Smart Turn: the file it needs, and what it is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from providers import packages
from providers.engines.turn.mel import BANDS, log_mel
from providers.engines.turn.smart_turn import SmartTurn, SmartTurnConfig
from voicebackend.audio import PIPELINE_RATE, from_floats
from voicebackend.errors import InvalidConfig, PipelineError
from voicebackend.interfaces import TurnEvidence

RNG = np.random.default_rng(3)


class Session:
    """A model that gives what it is told and keeps what it was shown."""

    def __init__(self, probability: float) -> None:
        self.probability = probability
        self.shown: list[npt.NDArray[Any]] = []

    def run(self, _: Any, inputs: dict[str, npt.NDArray[Any]]) -> list[npt.NDArray[Any]]:
        """Answer as a model does."""
        self.shown.append(inputs["input_features"])
        return [np.array([[self.probability]], np.float32)]


@pytest.fixture
def engine() -> SmartTurn:
    """A detector with a model that is sure."""
    detector = SmartTurn()
    detector._session = Session(0.75)
    return detector


async def test_a_missing_model_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or that a path may be given."""
    monkeypatch.setattr(packages, "folder", lambda _: None)
    with pytest.raises(InvalidConfig) as caught:
        await SmartTurn().open()
    assert caught.value.details["install"] == 'pip install "voicebackend[smart-turn]"'


async def test_a_path_without_a_file_is_refused(tmp_path: Path) -> None:
    """The error names the setting."""
    with pytest.raises(InvalidConfig) as caught:
        await SmartTurn(SmartTurnConfig(model=tmp_path / "none.onnx")).open()
    assert caught.value.details["field"] == "model"


async def test_a_file_that_is_no_model_is_refused(tmp_path: Path) -> None:
    """Before any caller is heard."""
    path = tmp_path / "broken.onnx"
    path.write_bytes(b"not a model")
    with pytest.raises(PipelineError):
        await SmartTurn(SmartTurnConfig(model=path)).open()


async def test_it_must_be_opened() -> None:
    """An engine that was not opened says so."""
    with pytest.raises(PipelineError, match="not open"):
        await SmartTurn().end_of_turn(TurnEvidence(text="", silence_s=0.1, audio=b"\0\0"))


@pytest.mark.parametrize("seconds", [0.01, 3.0, 8.0, 12.0])
async def test_the_model_is_shown_eight_seconds_of_any_turn(engine: SmartTurn, seconds: float) -> None:
    """A shorter turn stands at their end, of a longer one only the end is seen."""
    audio = from_floats(RNG.normal(size=round(seconds * PIPELINE_RATE)) * 0.1)
    assert await engine.end_of_turn(TurnEvidence(text="", silence_s=0.1, audio=audio)) == pytest.approx(0.75)
    (shown,) = engine._session.shown
    assert shown.shape == (1, BANDS, 800)
    assert shown.dtype == np.float32
    loud = shown[0].mean(axis=0)
    assert loud[-1] > loud.min() or seconds >= 8
    await engine.aclose()


async def test_without_audio_it_does_not_know(engine: SmartTurn) -> None:
    """And does not ask the model."""
    assert await engine.end_of_turn(TurnEvidence(text="Yes.", silence_s=0.1)) == 0.5
    assert engine._session.shown == []


@pytest.mark.parametrize(("hertz", "band"), [(200, 4), (1000, 26), (4000, 62)])
def test_a_tone_is_loudest_in_its_band(hertz: float, band: int) -> None:
    """Bands are 37 Hz apart up to 1 kHz, then further and further."""
    tone = np.sin(2 * np.pi * hertz * np.arange(PIPELINE_RATE) / PIPELINE_RATE)
    assert int(log_mel(tone).mean(axis=1).argmax()) == pytest.approx(band, abs=1)


def test_loudness_of_the_whole_does_not_matter() -> None:
    """Callers' levels differ by 40 dB."""
    samples = RNG.normal(size=PIPELINE_RATE)
    assert log_mel(samples * 0.01) == pytest.approx(log_mel(samples * 0.5), abs=1e-2)


def test_silence_has_a_spectrum_too() -> None:
    """All the same, and finite."""
    found = log_mel(np.zeros(PIPELINE_RATE))
    assert found.shape == (BANDS, 100)
    assert np.ptp(found) == 0
