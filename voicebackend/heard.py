"""How much of a turn a caller has heard: as its device says, where it does; else as the playout clock reckons."""

from __future__ import annotations

import asyncio
from typing import Protocol

OWN_WORD_S = 0.25
"""Seconds that a device which reports itself has, after a pause or clear, to say where it stopped."""


class Tell(Protocol):
    """Passes a report on to the worker."""

    def __call__(self, turn: int, ms: float, *, estimated: bool, final: bool) -> None:
        """``final``: the turn stands still, and this is all that was heard of it."""


class HeardReports:
    """One caller's; nothing here waits."""

    def __init__(self, tell: Tell) -> None:
        self._tell = tell
        self._stopped: dict[int, asyncio.TimerHandle] = {}
        self._since: dict[int, float] = {}
        self._reports_itself = False

    def __repr__(self) -> str:
        return f"<HeardReports [{'own' if self._reports_itself else 'reckoned'}, {len(self._stopped)} stopped]>"

    def said(self, turn: int, ms: float, *, stopped: bool = False) -> None:
        """Take what the device says; ``stopped`` in its answer to a pause or clear: what came before may be older."""
        self._reports_itself = True
        final = stopped and turn in self._stopped
        if final:
            self.resumed(turn)
        elif turn in self._stopped:
            self._since[turn] = ms
        self._tell(turn, ms, estimated=False, final=final)

    def reckoned(self, turn: int, ms: float) -> None:
        """Take what the playout clock reckons; a device that reports itself knows better."""
        if not self._reports_itself:
            self._tell(turn, ms, estimated=True, final=False)

    def stopped(self, turn: int, ms: float) -> None:
        """The turn was told to stand still, at ``ms`` as the playout clock reckons."""
        self.resumed(turn)
        if self._reports_itself:
            loop = asyncio.get_running_loop()
            self._stopped[turn] = loop.call_later(OWN_WORD_S, self._give_up, turn, ms)
        else:
            self._tell(turn, ms, estimated=True, final=True)

    def resumed(self, turn: int) -> None:
        """It goes on: nobody waits for the device's word any more."""
        self._since.pop(turn, None)
        timer = self._stopped.pop(turn, None)
        if timer is not None:
            timer.cancel()

    def close(self) -> None:
        """The caller is gone."""
        for turn in list(self._stopped):
            self.resumed(turn)

    def _give_up(self, turn: int, ms: float) -> None:
        """The device did not answer: what it has said since, or else the playout clock, tells."""
        ms = self._since.get(turn, ms)
        self.resumed(turn)
        self._tell(turn, ms, estimated=True, final=True)
