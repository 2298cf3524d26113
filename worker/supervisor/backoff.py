"""How long to wait before a child that died is started again. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

FIRST_S, MOST_S = 0.1, 10.0
"""Seconds before the first restart, and before any."""
SOUND_S = 60.0
"""Seconds of life after which a child counts as sound: what it dies of is no habit."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Doubles with each early death, never gives up."""

    deaths: int = 0
    """Early deaths in a row."""

    def after(self, lived_s: float) -> Self:
        """Return the back-off after a child that lived this long."""
        return type(self)(1 if lived_s >= SOUND_S else self.deaths + 1)

    def delay_s(self, jitter: float) -> float:
        """Return the seconds to wait, half of them fixed; ``jitter`` is from 0 to 1."""
        if not self.deaths:
            return 0.0
        most = min(MOST_S, FIRST_S * 2.0 ** min(self.deaths - 1, 10))
        return most * (1 + jitter) / 2
