"""What silence leads to: prompts, a goodbye, and the end of the call; and how long a call may last at all."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from voicebackend.conversation import Conversation


class Reason(StrEnum):
    """Why a conversation ends by itself."""

    AWAY = "away"
    """Nobody answered the last prompt."""
    MAX_DURATION = "max_duration"
    """The call has lasted as long as it may."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """Say this."""

    text: str


@dataclass(frozen=True, slots=True)
class HangUp:
    """End the call."""

    reason: Reason
    goodbye: str | None = None
    """Said first."""


class Silence:
    """Counts from when both sides fell silent. All times are seconds of one clock."""

    def __init__(self, settings: Conversation, started: float) -> None:
        away = settings.away
        self._after_s = None if away.after is None else away.after.total_seconds()
        self._prompts, self._goodbye = away.prompts, away.goodbye
        self._ends_at = started + settings.max_duration.total_seconds()
        self._since: float | None = None
        self._prompted = 0

    def __repr__(self) -> str:
        return f"<Silence [since {self._since}, {self._prompted} prompts]>"

    @property
    def counted(self) -> tuple[float, float | None, int]:
        """Return when the call ends at the latest, since when both are silent, and the prompts that were said."""
        return self._ends_at, self._since, self._prompted

    def recount(self, ends_at: float, since: float | None, prompted: int) -> None:
        """Go on from what another has counted."""
        self._ends_at, self._since, self._prompted = ends_at, since, prompted

    def broken(self) -> None:
        """Someone speaks or thinks, or the caller is on hold: silence is not counted."""
        self._since = None

    def answered(self) -> None:
        """The caller said something: the next silence begins with the first prompt again."""
        self._since, self._prompted = None, 0

    def prompted(self) -> None:
        """The prompt that was due is being said: the next one is the one after it."""
        self._prompted += 1

    def fell(self, now: float) -> None:
        """Both sides are silent from now on; nothing if they were already."""
        if self._since is None:
            self._since = now

    @property
    def next_at(self) -> float:
        """When ``due`` has something to say next."""
        if self._since is None or self._after_s is None:
            return self._ends_at
        return min(self._ends_at, self._since + self._after_s)

    def due(self, now: float) -> Prompt | HangUp | None:
        """Return what is to be done now; a prompt again after as much silence, until it was said."""
        if now >= self._ends_at:
            return HangUp(Reason.MAX_DURATION, self._goodbye)
        if now < self.next_at:
            return None
        if self._prompted == len(self._prompts):
            return HangUp(Reason.AWAY, self._goodbye)
        self._since = None
        return Prompt(self._prompts[self._prompted])
