"""What goes on in a room, as its session hears of it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Protocol


class Guest(Protocol):
    """Hears of the caller; nothing here waits."""

    def came(self) -> None:
        """The caller is there, and hears us."""

    def went(self, *, stopped: bool) -> None:
        """The caller has left; ``stopped``: on purpose."""

    def audio(self, pcm: bytes) -> None:
        """20 ms of the caller's audio, 16 kHz."""

    def message(self, text: str) -> None:
        """A message of the caller's."""

    def pressed(self, digit: str) -> None:
        """A key."""


class Loss(StrEnum):
    """How our stay ended without us."""

    BROKEN = "broken"
    """The connection is gone: join again."""
    REMOVED = "removed"
    """Another worker is there now, or somebody had us leave."""
    ENDED = "ended"
    """The room is no more."""


_LOSSES: Mapping[str, Loss] = {
    "DUPLICATE_IDENTITY": Loss.REMOVED,
    "PARTICIPANT_REMOVED": Loss.REMOVED,
    "ROOM_DELETED": Loss.ENDED,
    "ROOM_CLOSED": Loss.ENDED,
}
_HUNG_UP = frozenset({"CLIENT_INITIATED", "USER_REJECTED", "PARTICIPANT_REMOVED", "ROOM_DELETED"})


def loss_by(reason: str) -> Loss:
    """Return what LiveKit's reason for our disconnect means."""
    return _LOSSES.get(reason, Loss.BROKEN)


def hung_up(reason: str) -> bool:
    """Tell whether LiveKit's reason for the caller's disconnect says that the caller is done; others may come back."""
    return reason in _HUNG_UP
