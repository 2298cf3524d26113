"""What doubles of agents and logs need where keys may be asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from voicebackend.digits import CollectDigits, Collected, Sealing
from voicebackend.sealing import Seal


class AskedDouble:
    """A question that may ask for keys."""

    collect: CollectDigits | None = None
    hop_s: float | None = None
    over = False


class KeypadDouble:
    """Remembers what was kept for it."""

    seal: Sealing = Seal("of a test", "0" * 32)
    kept: Mapping[int, Collected] = MappingProxyType({})
    on_told: Callable[[], None] | None = None

    def listen(self, on_told: Callable[[], None]) -> None:
        """Have this called when an agent has asked for keys, or its answer is over."""
        self.on_told = on_told

    async def keep(self, turn: int, collected: Collected) -> None:
        """Remember it."""
        self.kept = {**self.kept, turn: collected}


class MaskedLog:
    """Knows of sensitive mode, by entries like any other."""

    async def append(self, entry: Mapping[str, Any]) -> None:
        """Append an entry."""
        raise NotImplementedError

    async def masked(self, seconds: float, turn: int, place: Mapping[str, int]) -> None:
        """Append that sensitive mode begins or ends."""
        await self.append({"type": "masked", "on": seconds > 0, "turn": turn, **place})
