"""What happened in a conversation, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from voicebackend.cli.words import words
from worker.scenarios.sightings import Kind, Sighting
from worker.scenarios.wording import begins, has

_WORDS = frozenset(
    {Kind.SAYS, Kind.SAID, Kind.HEARS, Kind.PARTIAL, Kind.UNDERSTOOD, Kind.ASKED, Kind.COMMITTED, Kind.CANCELLED}
)
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

    def note(self, kind: Kind, text: object = "", *, at: float | None = None, detail: str = "") -> Event:
        """Note that something happened, by default now."""
        now = asyncio.get_running_loop().time() if at is None else at
        event = Event(at=now, kind=kind, text=str(text), detail=detail)
        self.events.append(event)
        return event

    def forget(self, events: Sequence[Event]) -> None:
        """Take back what was noted."""
        wrong = {id(event) for event in events}
        self.events[:] = [event for event in self.events if id(event) not in wrong]

    def in_order(self) -> list[Event]:
        """Return the events by when they happened: words are read from audio only after they have sounded."""
        return sorted(self.events, key=lambda event: event.at)


@dataclass(frozen=True, slots=True)
class Finder:
    """Finds things in timelines."""

    loose: bool = False
    """Real engines: what sounds alike will do."""

    def find(self, events: Sequence[Event], wanted: Sighting, start: int = 0) -> int | None:
        """Return where something is seen first, from a place on; None if nowhere."""
        return next((at for at in range(start, len(events)) if self._fits(events, at, wanted)), None)

    def _fits(self, events: Sequence[Event], at: int, wanted: Sighting) -> bool:
        """Tell whether this event, for words of the agent with those after it, is what is wanted."""
        event = events[at]
        if event.kind is not wanted.kind or not wanted.text:
            return event.kind is wanted.kind
        if event.kind not in _WORDS:
            return event.text == wanted.text
        if event.kind is Kind.HEARS:
            return self._hears(events, at, words(wanted.text))
        if self.loose:
            return has(event.text, wanted.text)
        return f" {' '.join(words(wanted.text))} " in f" {' '.join(words(event.text))} "

    def _hears(self, events: Sequence[Event], at: int, wanted: Sequence[str]) -> bool:
        if self.loose:
            return begins(" ".join(_following(events, at, 2 * len(wanted))), " ".join(wanted))
        return _following(events, at, len(wanted))[: len(wanted)] == wanted


def _following(events: Sequence[Event], at: int, count: int) -> list[str]:
    """Return at least so many words that are heard from here on, if there are."""
    found: list[str] = []
    for event in events[at:]:
        if len(found) >= count:
            break
        if event.kind is Kind.HEARS:
            found += words(event.text)
    return found
