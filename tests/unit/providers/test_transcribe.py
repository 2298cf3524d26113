"""The helper program that says what is spoken in a file."""

from __future__ import annotations

import json
import wave
from pathlib import Path

import pytest

from providers.transcribe import main
from voicebackend.audio import PIPELINE_RATE, resample

VOICES = Path(__file__).parents[2] / "data" / "voices"


def test_a_human_recording_is_transcribed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """One line of JSON a file; a file of another rate is resampled."""
    with wave.open(str(VOICES / "human_austen_0880.wav"), "rb") as file:
        pcm = file.readframes(file.getnframes())
    other = tmp_path / "other.wav"
    with wave.open(str(other), "wb") as file:
        file.setparams((1, 2, 24000, 0, "NONE", ""))
        file.writeframes(resample(pcm, PIPELINE_RATE, 24000))
    assert main([str(VOICES / "human_austen_0880.wav"), str(other)]) == 0
    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["file"] for line in said] == [str(VOICES / "human_austen_0880.wav"), str(other)]
    assert all("young man" in line["text"] for line in said)


@pytest.mark.parametrize("arguments", [["missing.wav"], ["--engine", "nobody", "x.wav"]])
def test_what_cannot_be_used_is_one_clear_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code is 1, and nothing is on stdout."""
    assert main(arguments) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert len(told.err.splitlines()) == 1
