"""Whose packets are the caller's: the first good source is kept, and nobody else is heard or sent to. Pure.

Callers behind address translation send from elsewhere than their SDP says, so where their sound really comes from
counts; but only addresses that ``vets`` knows may send, and only those are sent to.
"""

from __future__ import annotations

from collections.abc import Callable

from control.telephony.rtp.packet import Place

SILENCE_S = 2.0
"""Seconds without a packet of the caller's after which its sound may come from elsewhere."""

QUIET_S = 0.1
"""Seconds without a packet after which another SSRC at the caller's own place is the caller, who was transferred, say.

Longer than the time between two packets of any telephone: who forges the caller's place gets in only while it pauses,
and goes when it speaks again.
"""

RENEWS_S = 2.0
"""Seconds from signalling's word in which that other SSRC may come at once."""

FIRST_S = 0.5
"""Seconds that the place which signalling named has to be the first, if its address is one that may send."""


class Latch:
    """One call's. The place that signalling named wins over any other, and the first over later ones."""

    def __init__(self, named: Place | None, vets: Callable[[str], bool]) -> None:
        """``named``: where SDP wants our sound; ``vets`` tells whether an IP address may have to do with the call."""
        self._named, self._vets = named, vets
        self._first: Place | None = None
        self._locked: tuple[Place, int] | None = None
        self._owner, self._owned = 0, 0.0
        """The SSRC that wins at the locked place, and when it was heard: the first, until it is gone for 2 s."""
        self._renews_until = float("-inf")
        """Until when another SSRC may come at once."""
        self._heard = 0.0
        self._waits_since: float | None = None
        """When somebody else was first to send."""
        self.rejected = 0
        """Packets of others."""

    def __repr__(self) -> str:
        return f"<Latch [{'locked' if self._locked else 'open'}, {self.rejected} rejected]>"

    @property
    def destination(self) -> Place | None:
        """Where to send to; None while no such place is known."""
        if self._locked is not None:
            return self._locked[0]
        return self._named if self._named is not None and self._vets(self._named[0]) else None

    def admits(self, place: Place, ssrc: int, now: float) -> bool:
        """Tell whether a packet is the caller's, and remember where it came from; ``now`` in seconds."""
        if self._locked != (place, ssrc):
            if not self._may_take_over(place, ssrc, now):
                self.rejected += 1
                return False
            self._lock(place, ssrc)
        if ssrc == self._owner or now - self._owned >= SILENCE_S:
            self._owner, self._owned = ssrc, now
        self._heard = now
        return True

    def holds(self, place: Place, ssrc: int) -> bool:
        """Tell whether this is the caller whose packets were admitted last."""
        return self._locked == (place, ssrc)

    def rename(self, named: Place | None, now: float) -> None:
        """Signalling names a place again; if it is another one, the sound may come from anywhere known, once.

        If it is the same, another SSRC may come from where the sound came from, once.
        """
        self._renews_until = now + RENEWS_S
        if named != self._named:
            self._named, self._first, self._locked, self._waits_since = named, None, None, None

    def _lock(self, place: Place, ssrc: int) -> None:
        if self._locked is None or self._locked[0] != place:
            self._owner = ssrc
        self._locked, self._renews_until = (place, ssrc), float("-inf")
        self._first = self._first or place

    def _may_take_over(self, place: Place, ssrc: int, now: float) -> bool:
        if not self._vets(place[0]):
            return False
        if self._locked is None:
            return place == self._named or self._has_waited(now)
        if now - self._heard >= SILENCE_S:
            return True
        if place == self._locked[0]:
            return now < self._renews_until or ssrc == self._owner or now - self._heard >= QUIET_S
        return self._rank(place) > self._rank(self._locked[0])

    def _has_waited(self, now: float) -> bool:
        """Tell whether the place that signalling named cannot be the first, or has had its time."""
        if self._named is None or not self._vets(self._named[0]):
            return True
        if self._waits_since is None:
            self._waits_since = now
        return now - self._waits_since >= FIRST_S

    def _rank(self, place: Place) -> int:
        return 2 if place == self._named else 1 if place == self._first else 0
