"""The recorded voices of tests/data/voices, and how much of their words was understood."""

from __future__ import annotations

import json
import wave
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from voicebackend.audio import PIPELINE_RATE, from_floats

VOICES = Path(__file__).parents[1] / "data" / "voices"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """A voice that says a known text."""

    name: str
    pcm: bytes
    """16 kHz."""
    text: str
    human: bool


@cache
def recordings() -> tuple[Recording, ...]:
    """Return every recording that the manifest lists."""
    manifest = json.loads((VOICES / "manifest.json").read_text(encoding="utf-8"))
    return tuple(
        Recording(
            name=entry["file"],
            pcm=read_wav(VOICES / entry["file"]),
            text=entry["text"],
            human=entry["voice"].startswith("human"),
        )
        for entry in manifest
    )


def read_wav(path: Path) -> bytes:
    """Return the PCM of a mono 16-bit file."""
    with wave.open(str(path), "rb") as file:
        return file.readframes(file.getnframes())


def white_noise(level_dbfs: float, seconds: float = 5.0) -> bytes:
    """Return hiss at 16 kHz, the same each time."""
    samples = np.random.default_rng(7).normal(size=round(PIPELINE_RATE * seconds)) * 10 ** (level_dbfs / 20)
    return from_floats(samples)
