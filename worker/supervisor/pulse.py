"""What a child tells its supervisor every second, from its event loop: that it lives, and how worn it is."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Self

PULSE_S = 1.0
"""Seconds between pulses."""


class Phase(StrEnum):
    """How far a child is."""

    LOADING = "loading"
    READY = "ready"
    HOPELESS = "hopeless"
    """It cannot start with this configuration, however often it is tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulse:
    """One line on the socket between a child and its supervisor."""

    phase: Phase
    sessions: int = 0
    """Sessions it has run since it started, those that run now included."""
    rss_mb: float = 0.0
    """Its resident memory, in 10^6 bytes."""
    relieved: bool = False
    """Somebody asked it to hand its sessions over and end."""

    def encode(self) -> bytes:
        """Return the line."""
        return json.dumps(asdict(self)).encode() + b"\n"

    @classmethod
    def decode(cls, line: bytes) -> Self:
        """Read a line; raises ValueError if it is none of ours."""
        try:
            found = json.loads(line)
            return cls(
                phase=Phase(found["phase"]),
                sessions=int(found["sessions"]),
                rss_mb=float(found["rss_mb"]),
                relieved=bool(found["relieved"]),
            )
        except (KeyError, TypeError) as error:
            raise ValueError("not a pulse") from error
