"""One clock for all calls of a process: a tick every 20 ms by the loop's time, that does not drift."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import TypeAlias

from control.telephony.rtp.media_format import FRAME_S

logger = logging.getLogger(__name__)

Tick: TypeAlias = Callable[[float], None]
"""Called with the loop's time, in seconds; must not wait. One that raises is not called again."""
MAX_BEHIND = 5
"""Ticks that are made up for at once when the loop was held up; others are left out."""

EARLY_S = 0.001
"""Seconds by which a timer of the loop may be early: uvloop's count milliseconds."""


class Pacer:
    """Ticks while there is anybody to tick for."""

    def __init__(self) -> None:
        self._ticks: dict[Tick, None] = {}
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._due = 0.0
        self.left_out = 0
        """Ticks that were not made up for."""

    def __len__(self) -> int:
        return len(self._ticks)

    def __repr__(self) -> str:
        return f"<Pacer [{len(self._ticks)} calls, {self.left_out} ticks left out]>"

    def add(self, tick: Tick) -> None:
        """Tick for a call, first within 20 ms."""
        self._ticks[tick] = None
        if self._timer is None:
            self._due = self._loop.time() + FRAME_S
            self._timer = self._loop.call_at(self._due, self._run)

    def remove(self, tick: Tick) -> None:
        """Do not tick for it any more."""
        self._ticks.pop(tick, None)
        if not self._ticks and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _run(self) -> None:
        now = self._loop.time()
        behind = int((now - self._due) / FRAME_S)
        if behind > MAX_BEHIND:
            self.left_out += behind - MAX_BEHIND
            self._due += (behind - MAX_BEHIND) * FRAME_S
        while self._due <= now + EARLY_S and self._ticks:
            self._due += FRAME_S
            self._tick(now)
        if self._ticks:
            self._timer = self._loop.call_at(self._due, self._run)

    def _tick(self, now: float) -> None:
        for tick in list(self._ticks):
            try:
                tick(now)
            except Exception:  # one call's trouble is not another's
                logger.exception("a call's clock stopped")
                self.remove(tick)
