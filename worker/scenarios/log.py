"""The scripted session's log: what the agent would remember."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from voicebackend.events import Message
from worker.scenarios.expectations import Remembered
from worker.scenarios.sightings import Kind
from worker.scenarios.timeline import Timeline


class ScriptedLog:
    """Keeps everything in memory."""

    def __init__(self, timeline: Timeline) -> None:
        self.entries: list[Mapping[str, Any]] = []
        self._timeline = timeline

    async def append(self, entry: Mapping[str, Any]) -> None:
        """Append an entry."""
        self.entries.append(entry)

    async def event(self, message: Message, **extra: Any) -> None:
        """Append what the caller is told too."""
        await self.append({**message.model_dump(mode="json", exclude_none=True), **extra})

    async def masked(self, seconds: float, turn: int, place: Mapping[str, int]) -> None:
        """Note that sensitive mode begins or ends."""
        self._timeline.note(Kind.MASKED, "on" if seconds else "off")
        await self.append({"type": "masked", "on": seconds > 0, "turn": turn, **place})

    def failed(self) -> frozenset[int]:
        """Return the turns for which an error was noted."""
        return frozenset(entry["turn"] for entry in self.entries if entry.get("type") == "error" and "turn" in entry)

    def history(self) -> list[tuple[int, Remembered]]:
        """Return what the agent remembers, as control's memory reads it, with the number of each turn."""
        return [
            (
                entry["turn"],
                Remembered(**{entry["role"]: entry["text"]}, interrupted=bool(entry.get("interrupted"))),
            )
            for entry in self.entries
            if entry.get("type") == "transcript" and entry.get("final")
        ]
