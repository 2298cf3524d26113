"""A lane as its holder knows it: the lease, whether it may speak, and how far it has been read."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from voicebackend.streams import EntryId
from worker.lease import MUTE_S, UNSURE_S, Lease

SECURE_S = 0.5
"""Seconds that a checkpoint has to be written before a successor speaks all the same."""


class Lane:
    """One leased lane and when its lease was last confirmed."""

    def __init__(self, lease: Lease, now: float, cap: int = 0) -> None:
        self.lease = lease
        self.cap = cap
        """Sessions it may hold; 0 is unlimited."""
        self.position = EntryId()
        """The last entry that was handed to its sessions."""
        self.deaf_until = EntryId()
        """Caller audio up to this entry is left out: it may have brought down who held the lane before."""
        self.restored_at: float | None = None
        """When the last of its sessions was restored, seconds (monotonic); None while they are."""
        self.leasing = asyncio.Lock()
        """Held while the lease is renewed or given up: a renewal under way must not claim again what was given up."""
        self.wanted = asyncio.Event()
        """Set while a session wants its checkpoint written soon."""
        self.wanting: set[str] = set()
        """These sessions."""
        self.written = asyncio.Event()
        """Set when what is wanted now is written; a new one from each look at the sessions to the next."""
        self._confirmed, self._unanswered = now, float("-inf")

    def __repr__(self) -> str:
        return f"<Lane {self.number} [epoch {self.epoch}, cap {self.cap}]>"

    @property
    def number(self) -> int:
        """Return the lane's number."""
        return self.lease.lane

    @property
    def epoch(self) -> int:
        """Return the epoch under which its holder speaks."""
        return self.lease.epoch

    def due(self, session: str) -> None:
        """Ask for a session's checkpoint within 50 ms: something happened that a successor must know."""
        self.wanting.add(session)
        self.wanted.set()

    async def secure(self, session: str) -> None:
        """Return once a session's checkpoint as of now is written, or after ``SECURE_S``."""
        written = self.written
        self.due(session)
        with suppress(TimeoutError):
            async with asyncio.timeout(SECURE_S):
                await written.wait()

    def confirm(self, lease: Lease, now: float) -> None:
        """Note that the lease was held at ``now`` (seconds, monotonic)."""
        self.lease, self._confirmed = lease, now

    def unanswered(self, now: float) -> None:
        """Note that nobody could be asked at ``now``: nobody else can have been given the lane either."""
        self._unanswered = now

    def may_speak(self, now: float) -> bool:
        """Tell whether the lease was confirmed recently enough to speak.

        Who asked in vain goes on for a while, for gateways drop what is older than a new holder's. Who did not even
        ask was asleep, and another may have the lane.
        """
        silence_s = now - self._confirmed
        return silence_s < MUTE_S or (now - self._unanswered < MUTE_S and silence_s < UNSURE_S)
