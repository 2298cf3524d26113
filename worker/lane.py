"""A lane as its holder knows it: the lease, whether it may speak, and the sequence of what it sent."""

from __future__ import annotations

from worker.lease import MUTE_S, Lease


class Lane:
    """One leased lane and when its lease was last confirmed."""

    def __init__(self, lease: Lease, now: float, cap: int = 0) -> None:
        self.lease = lease
        self.cap = cap
        """Sessions it may hold; 0 is unlimited."""
        self._confirmed = now

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

    def confirm(self, lease: Lease, now: float) -> None:
        """Note that the lease was held at ``now`` (seconds, monotonic)."""
        self.lease, self._confirmed = lease, now

    def may_speak(self, now: float) -> bool:
        """Tell whether the lease was confirmed recently enough to speak."""
        return now - self._confirmed < MUTE_S
