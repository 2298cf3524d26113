"""What happened in a conversation, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from voicebackend.cli.words import words
from worker.scenarios.sightings import Kind, Sighting

_WORDS = frozenset({Kind.SAYS, Kind.SAID, Kind.HEARS, Kind.PARTIAL, Kind.UNDERSTOOD, Kind.ASKED, Kind.COMMITTED, Kind.CANCELLED})
"""Kinds whose text is said: it fits if it has the words, in a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened."""

    at: float
    """Seconds from the start of the conversation."""
    kind: Kind
    text: str = ""
    detail: str = ""
    """For the reader of a report only."""

    def __str__(self) -> str:
        parts = [f"{self.at:8.3f} s  {self.kind}", self.text, f"({self.detail})" if self.detail else ""]
        return " ".join(part for part in parts if part)


@dataclass(slots=True)
class Timeline:
    """Grows while the conversation runs; ``problems`` are things that must never happen."""

    events: list[Event] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    def note(self, kind: Kind, text: object = "", *, at: float | None = None, detail: str = "") -> None:
        """Note that something happened, by default now."""
        now = asyncio.get_running_loop().time() if at is None else at
        self.events.append(Event(at=now, kind=kind, text=str(text), detail=detail))

    def in_order(self) -> list[Event]:
        """Return the events by when they happened: words are read from audio only after they have sounded."""
        return sorted(self.events, key=lambda event: event.at)


def find(events: Sequence[Event], wanted: Sighting, start: int = 0) -> int | None:
    """Return where something is seen first, from a place on; None if nowhere."""
    return next((at for at in range(start, len(events)) if fits(events, at, wanted)), None)


def fits(events: Sequence[Event], at: int, wanted: Sighting) -> bool:
    """Tell whether this event, for words of the agent with those after it, is what is wanted."""
    event = events[at]
    if event.kind is not wanted.kind:
        return False
    if not wanted.text:
        return True
    if event.kind is Kind.HEARS:
        return _phrase(events, at, words(wanted.text))
    if event.kind in _WORDS:
        return f" {' '.join(words(wanted.text))} " in f" {' '.join(words(event.text))} "
    return event.text == wanted.text


def _phrase(events: Sequence[Event], at: int, wanted: Sequence[str]) -> bool:
    heard: list[str] = []
    for event in events[at:]:
        if event.kind is Kind.HEARS:
            heard += words(event.text)
            if len(heard) >= len(wanted) or heard != wanted[: len(heard)]:
                break
    return heard[: len(wanted)] == list(wanted)
