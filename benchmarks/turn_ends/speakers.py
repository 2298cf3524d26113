"""Speech without noise: people recorded, and a synthetic voice in several pitches that pauses where it is told to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import yaml

from benchmarks.turn_ends.sound import Signal, levels, read, resampled
from providers import packages
from voicebackend.audio import PIPELINE_RATE

HERE = Path(__file__).parent
TESTS = HERE.parents[1] / "tests" / "data" / "voices"
PITCHES = (0.82, 0.92, 1.0, 1.08)
"""Of the synthetic voice; the lowest is a man's."""
VOICE_RATE = 24_000
PAUSE_MEDIAN_S, PAUSE_SPREAD = 0.6, 0.45
"""Of the pauses that have no length in the texts: log-normal, cut to 0.3 to 1.6 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """A turn before noise."""

    name: str
    group: str
    half: str
    """``development`` or ``held_out``."""
    signal: Signal
    text: str


def people() -> Iterator[Spoken]:
    """Yield turns that people spoke; those inside moonshine-voice only where it is installed."""
    for entry in json.loads((HERE / "recordings.json").read_text("utf-8")):
        path = _recording(entry["file"])
        if path is None:
            continue
        start_s, end_s = entry.get("cut_s", (0, 600))
        signal = read(path)[round(start_s * PIPELINE_RATE) : round(end_s * PIPELINE_RATE)]
        name = f"{path.stem}_{start_s:.0f}"
        yield Spoken(name=name, group="people", half=entry["half"], signal=signal, text=entry["text"])


def _recording(file: str) -> Path | None:
    home = packages.folder("moonshine_voice")
    places = [HERE / "recordings", TESTS, *([home / "assets"] if home else [])]
    return next((place / file for place in places if (place / file).exists()), None)


def voices() -> Iterator[Spoken]:
    """Yield turns that the synthetic voice speaks, the same ones each time."""
    from hibari import Hibari

    voice = Hibari()
    texts = yaml.safe_load((HERE / "texts.yaml").read_text("utf-8"))
    for half, groups in texts.items():
        for group, turns in groups.items():
            for number, text in enumerate(turns):
                rng = np.random.default_rng([number, *f"{half}/{group}".encode()])
                said = " ".join(re.sub(r"\|[\d.]*", "", text).split())
                yield Spoken(name=f"{group}_{number}", group=group, half=half, signal=_say(voice, text, rng), text=said)


def _say(voice: object, text: str, rng: np.random.Generator) -> Signal:
    """Speak the parts of a text with its pauses between them, each with the melody that its punctuation asks for."""
    pitch = rng.choice(PITCHES)
    speed = rng.uniform(0.95, 1.2)
    parts: list[Signal] = []
    for piece in re.split(r"(\|[\d.]*)", text):
        if piece.startswith("|"):
            drawn = np.clip(rng.lognormal(np.log(PAUSE_MEDIAN_S), PAUSE_SPREAD), 0.3, 1.6)
            parts.append(np.zeros(round((float(piece[1:]) if piece[1:] else drawn) * PIPELINE_RATE)))
        elif piece.strip():
            samples = np.concatenate(list(voice.stream(piece.strip(), speed=speed / pitch, seed=0)))  # type: ignore[attr-defined]
            parts.append(_trimmed(resampled(samples.astype(np.float64), pitch * VOICE_RATE / PIPELINE_RATE)))
    return np.concatenate(parts)


def _trimmed(signal: Signal) -> Signal:
    """Return a signal without the silence around it, all but 20 ms."""
    loud = levels(signal)
    voiced = np.flatnonzero(loud > np.percentile(loud, 95) - 40)
    return signal[max(0, voiced[0] - 2) * 160 : (voiced[-1] + 3) * 160]
