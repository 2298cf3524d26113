"""When a connection to a room counts as dead: long before its SDK says so. Pure; seconds in."""

from __future__ import annotations

DEAD_S = 4.0
"""Seconds without a packet: also where nobody speaks, the server checks the line every 2.5 s."""
LOOK_S = 1.0
"""Seconds between looks."""


class Watch:
    """One connection's. Only media count: while they flow, the SDK may mend its signalling by itself."""

    def __init__(self, now: float) -> None:
        self._packets, self._at = -1, now

    def __repr__(self) -> str:
        return f"<Watch [{self._packets} packets]>"

    def received(self, packets: int, now: float) -> None:
        """Note how many packets have come in all."""
        if packets != self._packets:
            self._packets, self._at = packets, now

    def is_dead(self, now: float) -> bool:
        """Tell whether to wait no longer."""
        return now - self._at >= DEAD_S
