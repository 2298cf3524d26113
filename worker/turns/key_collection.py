"""Collecting keys: which state follows which key, or which silence. Pure; moments are seconds of any one clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from voicebackend.digits import CollectDigits, KeysEnd


class Phase(StrEnum):
    """What a collection waits for."""

    PROMPT = "prompt"
    """The end of what is said, or a key that stops it."""
    FIRST = "first"
    """The first key."""
    NEXT = "next"
    """A further key."""
    OVER = "over"
    """Nothing more."""


class Step(StrEnum):
    """What happens to it."""

    PROMPTED = "prompted"
    """What was to be said has been."""
    PRESSED = "pressed"
    """A key that is part of the value."""
    AGAIN = "again"
    """No key came, and there is something to say about that."""
    ENDED = "ended"


_P, _S = Phase, Step
PHASES: Mapping[tuple[Phase, Step], Phase] = {
    (_P.PROMPT, _S.PROMPTED): _P.FIRST,
    (_P.PROMPT, _S.PRESSED): _P.NEXT,
    (_P.FIRST, _S.PRESSED): _P.NEXT,
    (_P.NEXT, _S.PRESSED): _P.NEXT,
    (_P.FIRST, _S.AGAIN): _P.PROMPT,
    (_P.PROMPT, _S.ENDED): _P.OVER,
    (_P.FIRST, _S.ENDED): _P.OVER,
    (_P.NEXT, _S.ENDED): _P.OVER,
}
"""The phase after a step; a step that is not here changes nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyCollection:
    """A collection at one moment; each method returns what follows from it."""

    request: CollectDigits
    opened: float
    phase: Phase = Phase.PROMPT
    since: float = 0.0
    """When it began to wait for what it waits for now."""
    keys: str = field(default="", repr=False)
    said_again: int = 0
    ended: KeysEnd | None = None

    def prompted(self, now: float) -> KeyCollection:
        """Nobody speaks any more: from now on a key is waited for."""
        return self._stepped(Step.PROMPTED, now)

    def pressed(self, key: str, now: float) -> KeyCollection:
        """Take a key."""
        if self.phase is Phase.OVER:
            return self
        if key in self.request.until:
            return self.over(KeysEnd.UNTIL)
        taken = replace(self._stepped(Step.PRESSED, now), keys=self.keys + key)
        return taken.over(KeysEnd.MAX) if len(taken.keys) >= self.request.max_digits else taken

    def over(self, why: KeysEnd) -> KeyCollection:
        """End it with the keys that there are."""
        return replace(self, phase=PHASES.get((self.phase, Step.ENDED), self.phase), ended=self.ended or why)

    @property
    def due(self) -> float | None:
        """When it has waited long enough; None once it is over."""
        limit = self.opened + self.request.longest_s
        match self.phase:
            case Phase.FIRST:
                return min(limit, self.since + self.request.first_timeout)
            case Phase.NEXT:
                return min(limit, self.since + self.request.next_timeout)
            case Phase.PROMPT:
                return limit
            case Phase.OVER:
                return None

    def waited(self, now: float) -> KeyCollection:
        """Let time pass: what is overdue ends it, or has something said again, and then ``said_again`` counts up."""
        if self.due is None or now < self.due:
            return self
        if (
            self.phase is Phase.FIRST
            and self.said_again < len(self.request.again)
            and now < self.opened + self.request.longest_s
        ):
            return replace(self._stepped(Step.AGAIN, now), said_again=self.said_again + 1)
        return self.over(KeysEnd.TIMEOUT)

    def rested(self, now: float, rested_s: float) -> KeyCollection:
        """Wait anew for what it waits for: for so long the caller could press nothing."""
        return self if self.phase is Phase.OVER else replace(self, since=now, opened=self.opened + rested_s)

    def _stepped(self, step: Step, now: float) -> KeyCollection:
        following = PHASES.get((self.phase, step))
        return self if following is None else replace(self, phase=following, since=now)
