"""How far each turn's audio is with one caller: received, sent, played, told. Pure; seconds in, milliseconds out."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import dataclass

REPORT_S = 0.2
"""Seconds of a turn heard between two reports."""
EPSILON_S = 1e-6
"""Seconds that are rounding."""
_TURNS_KEPT = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """How much of a turn's audio the caller has heard."""

    turn: int
    ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How far playout is in the latest turn whose audio came; turn 0 before any has."""

    turn: int = 0
    received_ms: float = 0.0
    """Of its audio, played or still to be played."""
    played_ms: float = 0.0
    paused: bool = False


@dataclass(slots=True)
class _Turn:
    received_s: float = 0.0
    sent_s: float = 0.0
    played_s: float = 0.0
    reported_s: float = 0.0


class TurnProgress:
    """Remembers the last turns; of others it knows nothing, and minds nothing."""

    def __init__(self) -> None:
        self._turns: dict[int, _Turn] = {}
        self._untold: dict[int, _Turn] = {}
        """Turns of which more was played than was reported: seldom more than one."""
        self._latest = 0

    def received(self, turn: int, seconds: float) -> None:
        """Note audio that came."""
        self._latest = turn
        if (progress := self._turns.get(turn)) is None:
            progress = self._turns[turn] = _Turn()
            if len(self._turns) > _TURNS_KEPT:
                self._forget(next(iter(self._turns)))
        progress.received_s += seconds

    def sent(self, turn: int, seconds: float) -> bool:
        """Note audio that goes to the caller, and return whether some of its turn went before."""
        if (progress := self._turns.get(turn)) is None:
            return False
        before, progress.sent_s = progress.sent_s, progress.sent_s + seconds
        return before > 0

    def played(self, turn: int, seconds: float) -> None:
        """Note audio that the caller must have heard."""
        if (progress := self._turns.get(turn)) is not None:
            progress.played_s += seconds
            self._untold[turn] = progress

    def cut(self, turn: int) -> None:
        """Note that what was not yet played never will be."""
        if turn in self._turns:
            self._turns[turn].received_s = self._turns[turn].played_s

    def played_ms(self, turn: int) -> float:
        """Return the milliseconds of a turn that have been played; 0 for one that is not known."""
        return _ms(self._turns.get(turn, _Turn()).played_s)

    @property
    def has_untold(self) -> bool:
        """Tell whether more was played of a turn than was reported."""
        return bool(self._untold)

    def reports(self, moving: Set[int]) -> list[Heard]:
        """Return how much was heard of each turn where it has grown by ``REPORT_S``, or does not move any more."""
        found = []
        for turn, progress in self._untold.items():
            fresh = progress.played_s - progress.reported_s
            if fresh >= REPORT_S - EPSILON_S or (fresh > EPSILON_S and turn not in moving):
                progress.reported_s = progress.played_s
                found.append(Heard(turn=turn, ms=_ms(progress.played_s)))
        for heard in found:
            del self._untold[heard.turn]
        return found

    def _forget(self, turn: int) -> None:
        del self._turns[turn]
        self._untold.pop(turn, None)

    def standing(self, paused: int | None) -> Standing:
        """Return how far the latest turn is, while ``paused`` is the one that stands still."""
        latest = self._turns.get(self._latest, _Turn())
        return Standing(
            turn=self._latest,
            received_ms=_ms(latest.received_s),
            played_ms=_ms(latest.played_s),
            paused=paused == self._latest,
        )


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
