"""The turns that every system hears: speech, the line it comes over, and what is true of it. Always the same."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.turn_ends.sound import ROOM_DBFS, SPEECH_DBFS, Signal, levelled, noise, telephone, to_pcm
from benchmarks.turn_ends.speakers import Spoken, people, voices
from benchmarks.turn_ends.truth import Speech, speech
from voicebackend.audio import PIPELINE_RATE

LEAD_S = 0.8
"""Silence before a turn."""
TAIL_S = 4.5
"""And after it: longer than anybody waits."""
FADE_S = 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What lies between a speaker and us."""

    name: str
    share: float
    """Of the turns."""
    noise: str = "pink"
    snr_db: float = SPEECH_DBFS - ROOM_DBFS
    telephone: bool = False


LINES = (
    Line(name="quiet", share=0.4),
    Line(name="pink 15 dB", share=0.12, snr_db=15),
    Line(name="white 20 dB", share=0.06, noise="white", snr_db=20),
    Line(name="hum 15 dB", share=0.06, noise="hum", snr_db=15),
    Line(name="keyboard 20 dB", share=0.06, noise="clicks", snr_db=20),
    Line(name="telephone", share=0.2, telephone=True),
    Line(name="telephone, pink 15 dB", share=0.1, snr_db=15, telephone=True),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One caller's turn: 16 kHz audio and its truth."""

    name: str
    group: str
    half: str
    line: str
    text: str
    pcm: bytes
    speech: Speech
    """Seconds from the start of ``pcm``."""

    @property
    def id(self) -> str:
        """Name, in both halves together."""
        return f"{self.half}/{self.name}"


def corpus() -> list[Turn]:
    """Return every turn of both halves."""
    spoken: Iterable[Spoken] = (*people(), *voices())
    return [_over_line(turn) for turn in spoken]


def _over_line(turn: Spoken) -> Turn:
    rng = np.random.default_rng(list(f"{turn.half}/{turn.name}".encode()))
    line = LINES[rng.choice(len(LINES), p=[line.share for line in LINES])]
    truth = speech(turn.signal)
    said = levelled(_faded(turn.signal[round((truth.start_s - 0.1) * PIPELINE_RATE) if truth.start_s > 0.1 else 0 :]))
    moved = LEAD_S - (truth.start_s - 0.1 if truth.start_s > 0.1 else 0)
    rest = round((truth.end_s + moved + TAIL_S) * PIPELINE_RATE) - round(LEAD_S * PIPELINE_RATE) - len(said)
    quiet = np.concatenate((np.zeros(round(LEAD_S * PIPELINE_RATE)), said, np.zeros(max(0, rest))))
    heard = quiet + noise(line.noise, len(quiet), SPEECH_DBFS - line.snr_db, rng)
    return Turn(
        name=turn.name,
        group=turn.group,
        half=turn.half,
        line=line.name,
        text=turn.text,
        pcm=to_pcm(telephone(heard) if line.telephone else heard),
        speech=_moved(truth, moved),
    )


def _faded(signal: Signal) -> Signal:
    """Return a signal whose recording noise does not begin and end with a click."""
    size = round(FADE_S * PIPELINE_RATE)
    ramp = np.linspace(0, 1, size)
    faded = signal.copy()
    faded[:size] *= ramp
    faded[-size:] *= ramp[::-1]
    return faded


def _moved(truth: Speech, seconds: float) -> Speech:
    return replace(
        truth,
        start_s=truth.start_s + seconds,
        end_s=truth.end_s + seconds,
        pauses=tuple((start + seconds, end + seconds) for start, end in truth.pauses),
    )
