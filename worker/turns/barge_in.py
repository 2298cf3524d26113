"""What speech over the agent means: hold it, stop it, or let it go on. Words, duration and backchannels decide.

The agent is held at the first sound, because that is what a listener expects of a person; whether it has to stop is
decided on what was said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from voicebackend.conversation import BargeIn

TAIL_S = 1.0
"""Words that begin this close to the end of the agent's speech answer it, also those that are no more than ``yes``."""
ECHO_WORDS = 3
"""So many words in a row that the agent has just said are its echo, not the caller."""
THIN_S = 0.3
"""Speech shorter than this is thin ground for words: a recogniser's first guess at "mhm" may be a word."""
UNDECIDED_S = 2.0
"""Silence after the caller's sound after which the agent goes on, whatever the recogniser still has to say."""


class Verdict(StrEnum):
    """What to do about speech over the agent."""

    WAIT = "wait"
    """Nothing yet."""
    HOLD = "hold"
    """Stop the audio where it is until more is known."""
    RESUME = "resume"
    """It was nothing: go on where it stopped."""
    INTERRUPT = "interrupt"
    """The caller wants to speak: drop the rest."""


class Playing(StrEnum):
    """What the agent's audio does while someone speaks over it."""

    ON = "on"
    HELD = "held"
    DROPPED = "dropped"


PLAYING: Mapping[Verdict, tuple[frozenset[Playing], Playing]] = {
    Verdict.HOLD: (frozenset({Playing.ON}), Playing.HELD),
    Verdict.RESUME: (frozenset({Playing.HELD}), Playing.ON),
    Verdict.INTERRUPT: (frozenset({Playing.ON, Playing.HELD}), Playing.DROPPED),
}
"""For each verdict that changes something: from where it does, and where it leads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Speech of the caller while the agent has the floor."""

    speech_s: float
    """How long it has lasted, in seconds."""
    text: str = ""
    """What is recognised of it so far."""
    silence_s: float = 0.0
    """Seconds of silence since."""
    settled: bool = False
    """The caller is silent, and the recogniser has nothing to add."""
    heard_s: float = 0.0
    """Of the agent's answer when the caller began; 0 while it was still thinking."""
    remaining_s: float | None = None
    """Of the agent's answer that was left when the caller began; None if its end was not known yet."""
    agent: str = ""
    """What the agent has been saying."""
    interruptible: bool = True

    def inputs(self) -> dict[str, float | bool | None]:
        """Return what a verdict was given on, for the log: numbers, never words."""
        return {
            "speech_s": round(self.speech_s, 3),
            "silence_s": round(self.silence_s, 3),
            "heard_s": round(self.heard_s, 3),
            "remaining_s": None if self.remaining_s is None else round(self.remaining_s, 3),
            "words": len(words(self.text)),
            "settled": self.settled,
            "interruptible": self.interruptible,
        }


def verdict(overlap: Overlap, settings: BargeIn) -> Verdict:
    """Return what to do now; ask again whenever something is new."""
    if not settings.enabled or not overlap.interruptible:
        return Verdict.RESUME
    said = words(overlap.text)
    wanted = () if is_echo(said, overlap.agent) else without_backchannels(said, settings.backchannels)
    if len(wanted) >= settings.min_words and (overlap.settled or overlap.speech_s >= THIN_S):
        return Verdict.INTERRUPT
    if overlap.settled or overlap.silence_s >= UNDECIDED_S:
        return Verdict.RESUME
    if not said and overlap.speech_s >= settings.max_hold.total_seconds():
        return Verdict.INTERRUPT
    guard_s = settings.echo_guard.total_seconds()
    if 0.0 < overlap.heard_s < guard_s and overlap.speech_s < guard_s:
        return Verdict.WAIT
    return Verdict.HOLD


def is_answer(overlap: Overlap, settings: BargeIn) -> bool:
    """Tell whether finished words over the agent are a turn of the caller's, to be answered."""
    said = words(overlap.text)
    if not said or is_echo(said, overlap.agent):
        return False
    at_the_end = overlap.remaining_s is not None and overlap.remaining_s <= TAIL_S
    return at_the_end or len(without_backchannels(said, settings.backchannels)) >= settings.min_words


def words(text: str) -> tuple[str, ...]:
    """Return a text's words, lower case, without punctuation."""
    return tuple(re.findall(r"[^\W_]+(?:['’-][^\W_]+)*", text.lower()))


def without_backchannels(said: tuple[str, ...], backchannels: tuple[str, ...]) -> tuple[str, ...]:
    """Return the words that are left when backchannels, longest first, are taken out."""
    phrases = _phrases(backchannels)
    left: list[str] = []
    at = 0
    while at < len(said):
        phrase = next((phrase for phrase in phrases if said[at : at + len(phrase)] == phrase), None)
        if phrase is None:
            left.append(said[at])
        at += len(phrase) if phrase else 1
    return tuple(left)


def is_echo(said: tuple[str, ...], agent: str) -> bool:
    """Tell whether the words are a run of what the agent says."""
    size = len(said)
    if size < ECHO_WORDS:
        return False
    spoken = words(agent)
    return any(spoken[at : at + size] == said for at in range(len(spoken) - size + 1))


@lru_cache(maxsize=32)
def _phrases(backchannels: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    return tuple(sorted(filter(None, map(words, backchannels)), key=len, reverse=True))
